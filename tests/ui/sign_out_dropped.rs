//! A user signs out, and neither browser nor cookie is told.
#![deny(unused_must_use)]

use workos_auth::{ActiveSession, Confidential};

fn misuse(session: ActiveSession<Confidential>) {
    session.sign_out(None);
}

fn main() {}
