//! Without the layer, a handler of axum takes everybody for signed out.

#[axum::debug_handler]
async fn misuse(user: Option<workos_auth::SignedIn>) -> String {
    user.map(|user| user.user().email.clone()).unwrap_or_default()
}

fn main() {}
