//! The same under axum's `debug_handler`, which says why.

use workos_auth::SignedIn;

#[axum::debug_handler]
async fn misuse(user: SignedIn) -> String {
    user.user().email.clone()
}

fn main() {}
