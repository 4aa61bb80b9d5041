//! A session is used after its refresh token was used up.

use workos_auth::{ActiveSession, Error, Confidential};

async fn misuse(session: ActiveSession<Confidential>) -> Result<(), Error> {
    let _refreshed = session.refresh().await?;
    println!("{}", session.user().email);
    Ok(())
}

fn main() {}
