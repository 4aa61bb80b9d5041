//! A public client keeps the sessions of many users.

use workos_auth::session::MemorySessionStore;
use workos_auth::{PublicClient, SessionManager};

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let sessions = SessionManager::new(client, MemorySessionStore::new());
}
