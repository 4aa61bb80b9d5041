//! A refreshed session is used before its new tokens are kept.

use workos_auth::{ActiveSession, Confidential, Error, TokenVerifier};

async fn misuse(session: ActiveSession<Confidential>, verifier: &TokenVerifier) -> Result<(), Error> {
    let _session = session.refresh().await?.check(verifier).await?;
    Ok(())
}

fn main() {}
