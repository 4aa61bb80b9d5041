//! A handler of axum takes a signed-in user, and no layer asks for the session.

use axum::Router;
use axum::routing::get;
use workos_auth::SignedIn;

async fn account(user: SignedIn) -> String {
    user.user().email.clone()
}

fn misuse() -> Router {
    Router::new().route("/account", get(account))
}

fn main() {}
