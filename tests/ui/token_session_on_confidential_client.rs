//! A server's API key is used on a user's device.

use workos_auth::ConfidentialClient;
use workos_auth::session::{MemoryTokenStore, TokenSession};

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    let session = TokenSession::new(client, MemoryTokenStore::new());
}
