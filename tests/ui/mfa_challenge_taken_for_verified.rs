//! A challenge that nobody has answered is taken for a verified one.

use workos_auth::id::AuthenticationFactorId;
use workos_auth::step::MfaChallenge;
use workos_auth::{AuthenticationResponse, Confidential, Error};

async fn misuse(
    step: MfaChallenge<Confidential>,
    factor: &AuthenticationFactorId,
) -> Result<AuthenticationResponse, Error> {
    Ok(step.challenge(factor).send().await?)
}

fn main() {}
