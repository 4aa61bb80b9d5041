//! An Action is allowed, and then denied.

use workos_auth::action::{ActionAnswer, AuthenticationAction};

fn endpoint(action: AuthenticationAction, is_blocked: bool) -> ActionAnswer {
    let answer = action.allow();
    if is_blocked { action.deny("You are blocked.") } else { answer }
}

fn main() {}
