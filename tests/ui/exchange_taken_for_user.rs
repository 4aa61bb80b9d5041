//! A callback whose state is right is taken for a signed-in user.

use workos_auth::{AuthenticationResponse, Callback, Error, PkceSession, Public};

fn misuse(session: PkceSession<Public>, callback: Callback) -> Result<AuthenticationResponse, Error> {
    Ok(session.exchange(callback)?)
}

fn main() {}
