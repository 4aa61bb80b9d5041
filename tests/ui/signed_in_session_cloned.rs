//! A session is cloned, to use its refresh token twice.

use workos_auth::{ActiveSession, Public};

fn misuse(session: &ActiveSession<Public>) -> ActiveSession<Public> {
    session.clone()
}

fn main() {}
