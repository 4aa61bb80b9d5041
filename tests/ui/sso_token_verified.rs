//! An SSO access token is opaque: there is nothing to verify in it.

use workos_auth::{SsoAccessToken, TokenVerifier};

async fn run(verifier: &TokenVerifier, token: &SsoAccessToken) -> Result<(), workos_auth::Error> {
    let _check = verifier.verify(token).await?;
    Ok(())
}

fn main() {}
