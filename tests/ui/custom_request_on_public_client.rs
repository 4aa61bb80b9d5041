//! The way out to other endpoints needs an API key, too.

use workos_auth::PublicClient;

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let _request = client.request(http::Method::GET, "/organizations");
}
