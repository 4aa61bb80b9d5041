//! A request that goes on without looking at the state has let everybody in.
#![deny(unused_must_use)]

use workos_auth::{MemorySessionStore, SessionHandle, SessionManager};

async fn page(sessions: SessionManager<MemorySessionStore>, handle: SessionHandle) {
    sessions.authenticate(&handle).await;
}

fn main() {}
