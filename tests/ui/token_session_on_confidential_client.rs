//! What keeps the API key of a server has no business on a user's device.

use workos_auth::{ConfidentialClient, MemoryTokenStore, TokenSession};

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    let session = TokenSession::new(client, MemoryTokenStore::new());
}
