//! An organization is selected in a step that asks for a code.

use workos_auth::step::TotpChallenge;
use workos_auth::{Confidential, OrganizationId};

fn misuse(challenge: TotpChallenge<Confidential>, id: OrganizationId) {
    let _ = challenge.select(&id);
}

fn main() {}
