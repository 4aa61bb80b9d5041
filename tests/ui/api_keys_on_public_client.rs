//! A public client validates the API key of a customer, which needs an API key of WorkOS.

use workos_auth::PublicClient;

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let _ = client.api_keys();
}
