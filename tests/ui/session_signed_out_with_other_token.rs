//! A session is signed out by another session's token.

use workos_auth::{ActiveSession, Public, VerifiedToken};

fn misuse(session: ActiveSession<Public>, other: &VerifiedToken) {
    let _ = session.sign_out(other, None);
}

fn main() {}
