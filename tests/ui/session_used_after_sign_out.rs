//! A session is refreshed after the user has signed out.

use workos_auth::{ActiveSession, Error, Confidential};

async fn misuse(session: ActiveSession<Confidential>) -> Result<(), Error> {
    let _sign_out = session.sign_out(None);
    let _refreshed = session.refresh().await?;
    Ok(())
}

fn main() {}
