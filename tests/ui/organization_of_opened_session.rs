//! The organization of an opened session is taken for checked.

use workos_auth::{OpenedSession, OrganizationId, Public};

fn misuse(session: &OpenedSession<Public>) -> Option<&OrganizationId> {
    session.organization_id()
}

fn main() {}
