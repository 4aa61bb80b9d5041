//! A session is revoked, and the call isn't sent.
#![deny(unused_must_use)]

use workos_auth::{ActiveSession, Confidential};

fn misuse(session: ActiveSession<Confidential>) {
    session.revoke();
}

fn main() {}
