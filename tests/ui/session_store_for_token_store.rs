//! A server's store for sessions is no store for the token of a command line.

use workos_auth::{MemorySessionStore, PublicClient, TokenSession};

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let session = TokenSession::new(client, MemorySessionStore::new());
}
