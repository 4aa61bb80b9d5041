//! The permissions of a token are read without an organization.

use workos_auth::VerifiedToken;

fn misuse(token: &VerifiedToken) -> bool {
    token.permissions().any(|permission| *permission == "posts:write")
}

fn main() {}
