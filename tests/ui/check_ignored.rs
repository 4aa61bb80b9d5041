//! A check that nobody looks at lets everybody in.
#![deny(unused_must_use)]

use workos_auth::{AccessToken, TokenVerifier};

async fn run(verifier: &TokenVerifier, token: &AccessToken) -> Result<(), workos_auth::Error> {
    verifier.verify(token).await?;
    Ok(())
}

fn main() {}
