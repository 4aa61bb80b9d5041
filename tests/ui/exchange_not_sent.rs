//! A callback's state is checked, and nothing is sent.
#![deny(unused_must_use)]

use workos_auth::{Callback, Error, PkceSession, Public};

fn misuse(session: PkceSession<Public>, callback: Callback) -> Result<(), Error> {
    session.exchange(callback)?;
    Ok(())
}

fn main() {}
