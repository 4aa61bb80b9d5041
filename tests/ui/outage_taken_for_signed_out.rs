//! An outage is neither active nor signed out: forgetting it does not compile.

use workos_auth::SessionState;

fn status(state: SessionState) -> u16 {
    match state {
        SessionState::Active(_) => 200,
        SessionState::SignedOut(_) => 401,
    }
}

fn main() {}
