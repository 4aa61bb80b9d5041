//! A webhook's body is parsed before its signature is checked.

use http::HeaderMap;
use workos_auth::Error;
use workos_auth::session::MemorySessionStore;
use workos_auth::webhook::{WebhookError, Webhooks};

async fn endpoint(
    webhooks: Webhooks<MemorySessionStore>,
    headers: HeaderMap,
    body: serde_json::Value,
) -> Result<(), WebhookError> {
    webhooks.handle(&headers, &body, async |_| Ok::<_, Error>(())).await.map(drop)
}

fn main() {}
