//! Somebody who signs in is let in by what decides about registrations.

use workos_auth::action::{Action, ActionAnswer, UserRegistrationAction};

fn may_register(registration: UserRegistrationAction) -> ActionAnswer {
    registration.allow()
}

fn endpoint(action: Action) -> ActionAnswer {
    match action {
        Action::Authentication(sign_in) => may_register(sign_in),
        other => other.deny(""),
    }
}

fn main() {}
