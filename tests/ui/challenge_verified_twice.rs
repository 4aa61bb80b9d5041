//! A challenge is answered twice.

use workos_auth::step::TotpChallenge;
use workos_auth::{Confidential, TotpCode};

fn misuse(challenge: TotpChallenge<Confidential>, first: TotpCode, second: TotpCode) {
    let _ = challenge.verify(first);
    let _ = challenge.verify(second);
}

fn main() {}
