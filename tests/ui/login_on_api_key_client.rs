//! A client without a client ID begins a login.

use workos_auth::{ApiKeyClient, RedirectUri};

fn misuse(client: ApiKeyClient, redirect: RedirectUri) {
    let _ = client.authorize(redirect);
}

fn main() {}
