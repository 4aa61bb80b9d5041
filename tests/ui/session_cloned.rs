// A login is cloned, so that it could be exchanged twice.
use workos_auth::{PkceSession, Public};

fn misuse(session: &PkceSession<Public>) -> PkceSession<Public> {
    session.clone()
}

fn main() {}
