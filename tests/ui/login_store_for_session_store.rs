//! A store for logins that are under way is no store for sessions.

use workos_auth::{ConfidentialClient, MemoryStore, SessionManager};

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    let sessions = SessionManager::new(client, MemoryStore::new());
}
