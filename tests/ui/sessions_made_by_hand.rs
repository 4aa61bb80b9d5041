//! An application makes the `Sessions` itself that show that the layer is there.

use axum::Router;
use workos_auth::axum::Sessions;

fn misuse(routes: Router<Sessions>) -> Router {
    routes.with_state(Sessions { _private: () })
}

fn main() {}
