//! A login is cloned, to be exchanged twice.

use workos_auth::{PkceSession, Public};

fn misuse(session: &PkceSession<Public>) -> PkceSession<Public> {
    session.clone()
}

fn main() {}
