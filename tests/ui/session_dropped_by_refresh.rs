//! The new session is the only one that is good.
#![deny(unused_must_use)]

async fn run(session: workos_auth::Session<workos_auth::Public>) -> Result<(), workos_auth::Error> {
    session.refresh().await?;
    Ok(())
}

fn main() {}
