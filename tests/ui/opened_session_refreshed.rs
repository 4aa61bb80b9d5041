//! An opened session is refreshed without a look at its token.

use workos_auth::{Error, OpenedSession, Public, Refreshed};

async fn misuse(session: OpenedSession<Public>) -> Result<Refreshed<Public>, Error> {
    Ok(session.refresh().await?)
}

fn main() {}
