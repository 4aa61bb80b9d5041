//! A connection ID is given where an organization ID belongs.

use workos_auth::id::ConnectionId;
use workos_auth::{PublicClient, RedirectUri};

fn misuse(client: PublicClient, redirect: RedirectUri, id: ConnectionId) {
    let _ = client.authorize(redirect).organization(id);
}

fn main() {}
