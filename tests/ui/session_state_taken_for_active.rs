//! Whoever has not looked whether the user is signed in gets no claims.

use workos_auth::{MemorySessionStore, SessionHandle, SessionManager};

async fn page(sessions: SessionManager<MemorySessionStore>, handle: SessionHandle) {
    let session = sessions.authenticate(&handle).await;
    println!("{:?}", session.token().role());
}

fn main() {}
