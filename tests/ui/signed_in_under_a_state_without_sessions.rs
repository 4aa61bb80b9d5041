//! A handler of axum takes a signed-in user under a state that holds no `Sessions`.

use axum::extract::State;
use workos_auth::SignedIn;

#[derive(Clone)]
struct Database;

#[axum::debug_handler]
async fn misuse(State(_): State<Database>, user: SignedIn) -> String {
    user.user().email.clone()
}

fn main() {}
