//! A webhook's handler can't say that it failed, so the event would count as handled.

use http::HeaderMap;
use workos_auth::session::MemorySessionStore;
use workos_auth::webhook::{WebhookError, Webhooks};

async fn endpoint(webhooks: Webhooks<MemorySessionStore>, headers: HeaderMap, body: &[u8]) -> Result<(), WebhookError> {
    webhooks.handle(&headers, body, async |event| drop(event)).await.map(drop)
}

fn main() {}
