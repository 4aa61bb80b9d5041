//! A request goes on, and nobody looks whether the user is signed in.
#![deny(unused_must_use)]

use workos_auth::SessionManager;
use workos_auth::secret::SessionHandle;
use workos_auth::session::MemorySessionStore;

async fn page(sessions: SessionManager<MemorySessionStore>, handle: SessionHandle) {
    sessions.authenticate(&handle).await;
}

fn main() {}
