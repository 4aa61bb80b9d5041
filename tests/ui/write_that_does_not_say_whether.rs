//! A write doesn't say whether it changed the row, so a session that was signed out in between would be taken for kept.

use workos_auth::session::{NotKept, SessionUpdate};
use workos_auth::{Confidential, ExpiredSession, OpenedSession};

async fn misuse(session: ExpiredSession<Confidential>) -> Result<OpenedSession<Confidential>, NotKept> {
    session.refresh().keep(write).await
}

async fn write(_update: SessionUpdate<Confidential>) -> std::io::Result<()> {
    Ok(())
}

fn main() {}
