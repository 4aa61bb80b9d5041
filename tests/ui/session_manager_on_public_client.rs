//! A public client can't keep the sessions of many users: a server holds an API key.

use workos_auth::{MemorySessionStore, PublicClient, SessionManager};

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let sessions = SessionManager::new(client, MemorySessionStore::new());
}
