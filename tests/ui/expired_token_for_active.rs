//! An expired token is given where a verified one belongs.

use workos_auth::token::ExpiredToken;
use workos_auth::{Error, OrganizationId, VerifiedToken};

fn may_publish(token: &VerifiedToken, owner: &OrganizationId) -> Result<bool, Error> {
    Ok(token.in_organization(owner)?.has_permission("posts:write"))
}

fn misuse(token: &ExpiredToken, owner: &OrganizationId) -> Result<bool, Error> {
    may_publish(token, owner)
}

fn main() {}
