//! A public client selects an organization, which needs an API key.

use workos_auth::step::OrganizationSelection;
use workos_auth::{OrganizationId, Public};

fn misuse(step: OrganizationSelection<Public>, id: OrganizationId) {
    let _ = step.select(&id);
}

fn main() {}
