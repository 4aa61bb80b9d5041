//! An Action is made up, without a signature.

use workos_auth::action::{Action, ActionAnswer, AuthenticationAction, AuthenticationContext};

fn misuse(context: AuthenticationContext) -> ActionAnswer {
    Action::Authentication(AuthenticationAction { context: Box::new(context) }).allow()
}

fn main() {}
