//! Handlers are given a store instead of what keeps sessions in it.

use workos_auth::parking::Parking;
use workos_auth::session::MemorySessionStore;
use workos_auth::{ConfidentialClient, LoginHandlers, RedirectUri};

fn routes(client: ConfidentialClient, parking: Parking, redirect_uri: RedirectUri) {
    let handlers = LoginHandlers::new(client, MemorySessionStore::new(), parking, redirect_uri);
}

fn main() {}
