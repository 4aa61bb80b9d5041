//! A permission is asked for without a look at the organization.

use workos_auth::VerifiedToken;

fn misuse(token: &VerifiedToken) -> bool {
    token.has_permission("posts:write")
}

fn main() {}
