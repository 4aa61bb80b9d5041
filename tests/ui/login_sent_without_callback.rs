//! A login is sent before its callback has come.

use workos_auth::{Error, PkceSession, Public};

async fn misuse(session: PkceSession<Public>) -> Result<(), Error> {
    let _response = session.send().await?;
    Ok(())
}

fn main() {}
