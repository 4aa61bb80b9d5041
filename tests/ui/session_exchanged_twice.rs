//! A login is exchanged twice.

use workos_auth::{Callback, PkceSession, Public};

fn misuse(session: PkceSession<Public>, first: Callback, second: Callback) {
    let _ = session.exchange(first);
    let _ = session.exchange(second);
}

fn main() {}
