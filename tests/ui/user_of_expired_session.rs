//! The user of an expired session is taken for signed in.

use workos_auth::{ExpiredSession, Public, User};

fn misuse(session: &ExpiredSession<Public>) -> &User {
    session.user()
}

fn main() {}
