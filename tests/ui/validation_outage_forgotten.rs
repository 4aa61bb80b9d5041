//! An outage of the validation of API keys is forgotten.

use workos_auth::api::KeyNotValidated;

fn status(problem: KeyNotValidated) -> u16 {
    match problem {
        KeyNotValidated::Invalid => 401,
    }
}

fn main() {
    let _ = status;
}
