//! A handler of axum takes the token of an application, and nobody verifies it.

use workos_auth::connect::ResourceToken;

#[axum::debug_handler]
async fn misuse(token: ResourceToken) -> String {
    token.token_id().to_owned()
}

fn main() {}
