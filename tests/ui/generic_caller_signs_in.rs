//! Somebody is signed in by code that is generic over what keeps sessions.

use workos_auth::RedirectUri;
use workos_auth::session::SessionParts;
use workos_auth::typestate::SessionLayer;

async fn misuse<L: SessionLayer>(sessions: &L, parts: SessionParts, redirect_uri: &RedirectUri) {
    let _cookie = sessions.sign_in(parts, redirect_uri).await;
}

fn main() {}
