//! The ID of a session at WorkOS, which is in tokens and logs, is given where a handle belongs.

use workos_auth::session::MemorySessionStore;
use workos_auth::{SessionManager, VerifiedToken};

async fn page(sessions: SessionManager<MemorySessionStore>, token: VerifiedToken) {
    let state = sessions.authenticate(token.session_id()).await;
}

fn main() {}
