// Scopes of an OAuth provider for AuthKit.
use workos_auth::{PublicClient, RedirectUri};

fn misuse(client: PublicClient, redirect: RedirectUri) {
    let _ = client.authorize(redirect).authkit().provider_scopes(["openid"]);
}

fn main() {}
