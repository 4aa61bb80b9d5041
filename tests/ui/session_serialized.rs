//! A login is serialized, with its code verifier.

use workos_auth::{PkceSession, Public};

fn misuse(session: PkceSession<Public>) {
    let _json = serde_json::to_string(&session);
}

fn main() {}
