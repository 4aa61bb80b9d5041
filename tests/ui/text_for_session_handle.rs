//! A text from a request is no handle before somebody says so.

use workos_auth::{MemorySessionStore, SessionManager};

async fn page(sessions: SessionManager<MemorySessionStore>, cookie: &str) {
    let state = sessions.authenticate(cookie).await;
}

fn main() {}
