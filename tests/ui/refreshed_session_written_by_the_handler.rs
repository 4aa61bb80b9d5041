//! A request handler refreshes a session, and writes it to the application's own store in a second step.

use workos_auth::session::SessionUpdate;
use workos_auth::{Confidential, Error, ExpiredSession};

async fn misuse(session: ExpiredSession<Confidential>) -> Result<(), Error> {
    let refreshed = session.refresh().await?;
    refreshed.keep(write).await?;
    Ok(())
}

async fn write(_update: SessionUpdate<Confidential>) -> std::io::Result<bool> {
    Ok(true)
}

fn main() {}
