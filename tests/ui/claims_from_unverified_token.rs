//! A token that nobody has verified is asked for a permission.

use workos_auth::AccessToken;

fn misuse(token: &AccessToken) -> bool {
    token.has_permission("posts:write")
}

fn main() {}
