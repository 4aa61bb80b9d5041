//! An Action is verified, and WorkOS gets no answer to it.
#![deny(unused_must_use)]

use http::HeaderMap;
use workos_auth::action::{Action, ActionError, Actions};

fn endpoint(actions: Actions, headers: HeaderMap, body: &[u8]) -> Result<(), ActionError> {
    if let Action::Authentication(sign_in) = actions.verify(&headers, body)? {
        sign_in.deny("Not now.");
    }
    Ok(())
}

fn main() {}
