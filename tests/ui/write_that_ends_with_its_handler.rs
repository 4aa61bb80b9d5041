//! A write borrows from its request handler, so it would end with it.

use workos_auth::session::{NotKept, SessionUpdate};
use workos_auth::{Confidential, ExpiredSession, OpenedSession};

struct Database;

impl Database {
    async fn write(&self, _update: SessionUpdate<Confidential>) -> std::io::Result<bool> {
        Ok(true)
    }
}

async fn misuse(
    session: ExpiredSession<Confidential>,
    database: &Database,
) -> Result<OpenedSession<Confidential>, NotKept> {
    session.refresh().keep(move |update| database.write(update)).await
}

fn main() {}
