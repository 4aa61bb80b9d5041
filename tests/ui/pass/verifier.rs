//! A service verifies the access tokens that it is called with.

use workos_auth::token::NotVerified;
use workos_auth::{AccessToken, TokenVerifier};

async fn status(verifier: &TokenVerifier, bearer: String) -> u16 {
    match verifier.verify(&AccessToken::new(bearer)).await {
        Ok(token) => {
            println!("called by {}", token.user_id());
            200
        }
        Err(NotVerified::Expired(_) | NotVerified::Invalid(_)) => 401,
        Err(NotVerified::KeysUnavailable(_)) => 503,
    }
}

fn main() {}
