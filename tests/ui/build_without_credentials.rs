//! A client is built without a client ID and without an API key.

use workos_auth::Client;

fn misuse() {
    let _ = Client::builder().build();
}

fn main() {}
