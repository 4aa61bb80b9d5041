//! A second factor of a user who is signed in: a wrong code is an error.

use workos_auth::id::{AuthenticationChallengeId, AuthenticationFactorId};
use workos_auth::{ConfidentialClient, Error, ErrorKind, TotpCode};

async fn challenge(
    client: &ConfidentialClient,
    factor: &AuthenticationFactorId,
) -> Result<AuthenticationChallengeId, Error> {
    Ok(client.mfa().challenge(factor, None).send().await?.id)
}

async fn is_right(client: &ConfidentialClient, id: &AuthenticationChallengeId, code: &TotpCode) -> Result<bool, Error> {
    match client.mfa().verify(id, code).send().await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::WrongCode) => Ok(false),
        Err(error) => Err(error),
    }
}

fn main() {}
