//! Scopes of an OAuth provider are set for AuthKit.

use workos_auth::{PublicClient, RedirectUri};

fn misuse(client: PublicClient, redirect: RedirectUri) {
    let _ = client.authorize(redirect).authkit().provider_scopes(["openid"]);
}

fn main() {}
