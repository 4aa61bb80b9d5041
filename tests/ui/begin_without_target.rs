//! A login begins without a place to sign in.

use workos_auth::{PublicClient, RedirectUri};

fn misuse(client: PublicClient, redirect: RedirectUri) {
    let _ = client.authorize(redirect).begin();
}

fn main() {}
