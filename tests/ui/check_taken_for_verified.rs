//! A token that was checked may have expired.

use workos_auth::{AccessToken, TokenVerifier};

async fn run(verifier: &TokenVerifier, token: &AccessToken) -> Result<bool, workos_auth::Error> {
    Ok(verifier.verify(token).await?.has_permission("posts:write"))
}

fn main() {}
