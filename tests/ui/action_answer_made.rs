//! The answer to an Action is made without the Action.

use workos_auth::action::ActionAnswer;

fn misuse() -> ActionAnswer {
    ActionAnswer { object: "authentication_action_response" }
}

fn main() {}
