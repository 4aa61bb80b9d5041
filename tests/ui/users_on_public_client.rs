//! A public client reads the users, which needs an API key.

use workos_auth::PublicClient;

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let _users = client.users();
}
