//! The users of the application need an API key.

use workos_auth::PublicClient;

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let _users = client.users();
}
