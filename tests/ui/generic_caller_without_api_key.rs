//! An endpoint that needs an API key is called by code that is generic over all clients.

use workos_auth::Client;
use workos_auth::typestate::Credentials;

fn misuse<K: Credentials>(client: &Client<K>) {
    let _users = client.users();
}

fn main() {}
