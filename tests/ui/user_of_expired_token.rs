//! The user of an expired token is taken for signed in.

use workos_auth::token::NotVerified;
use workos_auth::{AccessToken, Error, TokenVerifier, UserId};

async fn misuse(verifier: &TokenVerifier, token: &AccessToken) -> Result<UserId, Error> {
    match verifier.verify(token).await {
        Ok(token) => Ok(token.user_id().clone()),
        Err(NotVerified::Expired(token)) => Ok(token.user_id().clone()),
        Err(other) => Err(other.into()),
    }
}

fn main() {}
