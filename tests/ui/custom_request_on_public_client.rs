//! A public client calls an endpoint that isn't modelled, which needs an API key.

use workos_auth::PublicClient;

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let _request = client.request(http::Method::GET, "/organizations");
}
