//! A handler of axum takes any caller under a state that can't tell users.

use axum::extract::FromRef;
use workos_auth::api::ApiKeyValidator;
use workos_auth::caller::Caller;
use workos_auth::connect::ResourceServer;

#[derive(Clone, FromRef)]
struct Api {
    server: ResourceServer,
    keys: ApiKeyValidator,
}

#[axum::debug_handler(state = Api)]
async fn misuse(caller: Caller) -> String {
    format!("{caller:?}")
}

fn main() {}
