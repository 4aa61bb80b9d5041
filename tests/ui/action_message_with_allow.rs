//! An Action is allowed, with an error message.

use workos_auth::action::{ActionAnswer, UserRegistrationAction};

fn endpoint(registration: UserRegistrationAction) -> ActionAnswer {
    registration.allow("Please use your work e-mail address next time.")
}

fn main() {}
