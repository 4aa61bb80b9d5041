//! Old claims are used after a refresh.

use workos_auth::{ActiveSession, Error, Confidential};

async fn misuse(session: ActiveSession<Confidential>) -> Result<(), Error> {
    let token = session.token();
    let _refreshed = session.refresh().await?;
    println!("{:?}", token.active_organization());
    Ok(())
}

fn main() {}
