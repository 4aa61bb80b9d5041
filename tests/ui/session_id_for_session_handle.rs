//! The name of a session at WorkOS is in tokens and logs: it opens no session here.

use workos_auth::{MemorySessionStore, SessionManager, VerifiedToken};

async fn page(sessions: SessionManager<MemorySessionStore>, token: VerifiedToken) {
    let state = sessions.authenticate(token.session_id()).await;
}

fn main() {}
