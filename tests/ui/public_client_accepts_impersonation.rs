//! A public client accepts an impersonation, which needs an API key.

use workos_auth::{Callback, PublicClient};

fn misuse(client: PublicClient, callback: Callback) {
    let _ = client.accept_impersonation(callback);
}

fn main() {}
