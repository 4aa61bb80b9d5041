//! A webhook's body is taken for an event, and nobody looks at its signature.

use workos_auth::SessionManager;
use workos_auth::session::MemorySessionStore;
use workos_auth::webhook::WebhookEvent;

async fn endpoint(sessions: SessionManager<MemorySessionStore>, body: &[u8]) {
    let event: WebhookEvent = serde_json::from_slice(body).unwrap();
    sessions.apply(&event).await.unwrap();
}

fn main() {}
