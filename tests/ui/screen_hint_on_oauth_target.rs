//! A screen hint of AuthKit is set for an OAuth provider.

use workos_auth::login::ScreenHint;
use workos_auth::{Provider, PublicClient, RedirectUri};

fn misuse(client: PublicClient, redirect: RedirectUri) {
    let _ = client.authorize(redirect).oauth(Provider::Google).screen_hint(ScreenHint::SignUp);
}

fn main() {}
