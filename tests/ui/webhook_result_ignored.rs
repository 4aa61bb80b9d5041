//! A webhook is answered with 200, whether it was handled or not.
#![deny(unused_must_use)]

use http::{HeaderMap, StatusCode};
use workos_auth::SessionManager;
use workos_auth::session::MemorySessionStore;
use workos_auth::webhook::Webhooks;

async fn endpoint(
    sessions: SessionManager<MemorySessionStore>,
    webhooks: Webhooks<MemorySessionStore>,
    headers: HeaderMap,
    body: &[u8],
) -> StatusCode {
    webhooks.handle(&headers, body, async |event| sessions.apply(&event).await).await;
    StatusCode::OK
}

fn main() {}
