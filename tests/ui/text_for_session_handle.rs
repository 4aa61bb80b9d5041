//! A text from a request is given where a session's handle belongs.

use workos_auth::SessionManager;
use workos_auth::session::MemorySessionStore;

async fn page(sessions: SessionManager<MemorySessionStore>, cookie: &str) {
    let state = sessions.authenticate(cookie).await;
}

fn main() {}
