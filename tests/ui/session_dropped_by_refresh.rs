//! A session is refreshed, and its new tokens are dropped.
#![deny(unused_must_use)]

use workos_auth::{ActiveSession, Error, Confidential};

async fn misuse(session: ActiveSession<Confidential>) -> Result<(), Error> {
    session.refresh().await?;
    Ok(())
}

fn main() {}
