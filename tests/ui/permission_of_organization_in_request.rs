//! The organization that a request names is taken for the one of its data.

use workos_auth::{Error, VerifiedToken};

fn misuse(token: &VerifiedToken, from_the_path: &str) -> Result<bool, Error> {
    Ok(token.in_organization(from_the_path)?.has_permission("posts:write"))
}

fn main() {}
