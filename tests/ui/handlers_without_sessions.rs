//! Handlers need what keeps the sessions, not the store behind it.

use workos_auth::{ConfidentialClient, LoginHandlers, MemorySessionStore, Parking, RedirectUri};

fn routes(client: ConfidentialClient, parking: Parking, redirect_uri: RedirectUri) {
    let handlers = LoginHandlers::new(client, MemorySessionStore::new(), parking, redirect_uri);
}

fn main() {}
