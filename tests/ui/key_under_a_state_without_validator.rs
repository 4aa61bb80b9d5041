//! A handler of axum takes an API key under a state that holds no validator.

use workos_auth::api::ValidApiKey;
use workos_auth::axum::Sessions;

#[axum::debug_handler(state = Sessions)]
async fn misuse(key: ValidApiKey) -> String {
    key.organization_id().to_string()
}

fn main() {}
