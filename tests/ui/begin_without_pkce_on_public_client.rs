//! A public client leaves PKCE out.

use workos_auth::{PublicClient, RedirectUri};

fn misuse(client: PublicClient, redirect: RedirectUri) {
    let _ = client.authorize(redirect).authkit().begin_without_pkce();
}

fn main() {}
