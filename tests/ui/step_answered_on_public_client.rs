//! A public client answers a step, which needs an API key.

use workos_auth::step::TotpChallenge;
use workos_auth::{Public, TotpCode};

fn misuse(challenge: TotpChallenge<Public>, code: TotpCode) {
    let _ = challenge.verify(code);
}

fn main() {}
