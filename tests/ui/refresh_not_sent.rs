//! A session is refreshed, and nothing is sent.
#![deny(unused_must_use)]

use workos_auth::{Confidential, ExpiredSession};

fn misuse(session: ExpiredSession<Confidential>) {
    session.refresh();
}

fn main() {}
