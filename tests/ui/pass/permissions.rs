//! Permissions count in the organization that the requested data belongs to.

use workos_auth::{Error, OrganizationId, VerifiedToken};

fn may_publish(token: &VerifiedToken, owner: &OrganizationId) -> Result<bool, Error> {
    Ok(token.in_organization(owner)?.has_permission("posts:write"))
}

fn is_admin_where_signed_in(token: &VerifiedToken) -> bool {
    token.active_organization().is_some_and(|organization| organization.has_role("admin"))
}

fn main() {}
