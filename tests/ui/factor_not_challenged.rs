//! A code is given before a factor was challenged.

use workos_auth::step::MfaChallenge;
use workos_auth::{Confidential, TotpCode};

fn misuse(step: MfaChallenge<Confidential>, code: TotpCode) {
    let _ = step.verify(code);
}

fn main() {}
