//! A session and another session's token are put together.

use workos_auth::{ActiveSession, OpenedSession, Public, VerifiedToken};

fn misuse(session: OpenedSession<Public>, token: VerifiedToken) -> ActiveSession<Public> {
    ActiveSession { session, token }
}

fn main() {}
