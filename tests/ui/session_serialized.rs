// A login is serialized, verifier and all.
use workos_auth::{PkceSession, Public};

fn serialize(_: impl serde::Serialize) {}

fn misuse(session: PkceSession<Public>) {
    serialize(session);
}

fn main() {}
