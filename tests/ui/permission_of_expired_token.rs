//! An expired token is asked for a permission.

use workos_auth::OrganizationId;
use workos_auth::token::ExpiredToken;

fn misuse(token: &ExpiredToken, owner: &OrganizationId) -> bool {
    token.in_organization(owner).is_ok_and(|membership| membership.has_permission("posts:write"))
}

fn main() {}
