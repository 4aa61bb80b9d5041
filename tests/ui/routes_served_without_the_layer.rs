//! Routes with protected pages are served without the layer.

use axum::Router;
use axum::routing::get;
use workos_auth::SignedIn;
use workos_auth::axum::Sessions;

async fn account(user: SignedIn) -> String {
    user.user().email.clone()
}

fn misuse() -> Router {
    let routes: Router<Sessions> = Router::new().route("/account", get(account));
    routes
}

fn main() {}
