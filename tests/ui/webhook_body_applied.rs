//! Sessions are ended by what a webhook's body says, without a look at its signature.

use workos_auth::SessionManager;
use workos_auth::session::MemorySessionStore;

async fn endpoint(sessions: SessionManager<MemorySessionStore>, body: serde_json::Value) {
    sessions.apply(&body).await.unwrap();
}

fn main() {}
