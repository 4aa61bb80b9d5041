//! A server's store for sessions is given where one for a command line's token belongs.

use workos_auth::PublicClient;
use workos_auth::session::{MemorySessionStore, TokenSession};

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let session = TokenSession::new(client, MemorySessionStore::new());
}
