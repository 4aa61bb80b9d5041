//! A login has two targets.

use workos_auth::id::ConnectionId;
use workos_auth::{PublicClient, RedirectUri};

fn misuse(client: PublicClient, redirect: RedirectUri, id: ConnectionId) {
    let _ = client.authorize(redirect).authkit().connection(id);
}

fn main() {}
