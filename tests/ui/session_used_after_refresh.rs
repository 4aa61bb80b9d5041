//! A session is used after its refresh token was used up.

use workos_auth::{ActiveSession, Error, Public};

async fn misuse(session: ActiveSession<Public>) -> Result<(), Error> {
    let _refreshed = session.refresh().await?;
    println!("{}", session.user().email);
    Ok(())
}

fn main() {}
