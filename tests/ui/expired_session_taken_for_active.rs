//! An expired session is given where an active one belongs.

use workos_auth::{ActiveSession, ExpiredSession, Public};

fn page(session: &ActiveSession<Public>) -> String {
    format!("hello, {}", session.user().email)
}

fn misuse(session: &ExpiredSession<Public>) -> String {
    page(session)
}

fn main() {}
