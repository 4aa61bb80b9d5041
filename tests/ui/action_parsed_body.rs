//! An Action's body is parsed before its signature is checked.

use http::HeaderMap;
use workos_auth::action::{Action, ActionError, Actions};

fn endpoint(actions: Actions, headers: HeaderMap, body: serde_json::Value) -> Result<Action, ActionError> {
    actions.verify(&headers, &body)
}

fn main() {}
