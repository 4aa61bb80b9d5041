//! A state claims to hold `Sessions`, and no layer asks for the session.

use axum::Router;
use axum::routing::get;
use workos_auth::SignedIn;
use workos_auth::axum::HasSessions;

#[derive(Clone)]
struct State;

impl HasSessions for State {}

async fn account(user: SignedIn) -> String {
    user.user().email.clone()
}

fn misuse() -> Router {
    Router::new().route("/account", get(account)).with_state(State)
}

fn main() {}
