//! A store for logins that are under way is given where one for sessions belongs.

use workos_auth::parking::MemoryPkceStore;
use workos_auth::{ConfidentialClient, SessionManager};

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    let sessions = SessionManager::new(client, MemoryPkceStore::new());
}
