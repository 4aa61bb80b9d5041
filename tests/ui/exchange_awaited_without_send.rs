//! The exchange of a code is awaited, and never sent.

use workos_auth::{AuthenticationResponse, Callback, Error, PkceSession, Public};

async fn misuse(session: PkceSession<Public>, callback: Callback) -> Result<AuthenticationResponse, Error> {
    Ok(session.exchange(callback)?.await?)
}

fn main() {}
