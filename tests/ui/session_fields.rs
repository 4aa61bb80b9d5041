//! The secrets of a login are taken out of it.

use workos_auth::{PkceSession, Public};

fn misuse(session: PkceSession<Public>) {
    let PkceSession { verifier, .. } = session;
    drop(verifier);
}

fn main() {}
