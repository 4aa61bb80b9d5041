//! A session that a manager keeps is refreshed by hand.

use workos_auth::SignedIn;

async fn misuse(signed_in: SignedIn) {
    let _ = signed_in.refresh().await;
}

fn main() {}
