// A screen hint for an OAuth provider, which has no screens of ours.
use workos_auth::{Provider, PublicClient, RedirectUri, ScreenHint};

fn misuse(client: PublicClient, redirect: RedirectUri) {
    let _ = client.authorize(redirect).oauth(Provider::Google).screen_hint(ScreenHint::SignUp);
}

fn main() {}
