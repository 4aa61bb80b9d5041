//! A refresh token is serialized.

use workos_auth::RefreshToken;

fn misuse(token: RefreshToken) {
    let _json = serde_json::to_string(&token);
}

fn main() {}
