//! An expired token is let through with the good ones.

use workos_auth::token::NotVerified;
use workos_auth::{AccessToken, Error, TokenVerifier, VerifiedToken};

async fn misuse(verifier: &TokenVerifier, token: &AccessToken) -> Result<VerifiedToken, Error> {
    match verifier.verify(token).await {
        Ok(token) | Err(NotVerified::Expired(token)) => Ok(token),
        Err(other) => Err(other.into()),
    }
}

fn main() {}
