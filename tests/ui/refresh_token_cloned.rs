//! A single-use refresh token is cloned.

use workos_auth::RefreshToken;

fn misuse(token: &RefreshToken) -> RefreshToken {
    token.clone()
}

fn main() {}
