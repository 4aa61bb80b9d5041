//! A body is taken for an Action, and nobody looks at its signature.

use workos_auth::action::{ActionAnswer, AuthenticationAction};

fn endpoint(body: &[u8]) -> ActionAnswer {
    let action: AuthenticationAction = serde_json::from_slice(body).unwrap();
    action.allow()
}

fn main() {}
