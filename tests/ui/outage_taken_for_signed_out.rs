//! An outage is forgotten: it is neither a signed-in nor a signed-out user.

use workos_auth::SessionState;

fn misuse(state: SessionState) -> u16 {
    match state {
        SessionState::Active(_) => 200,
        SessionState::SignedOut(_) => 401,
    }
}

fn main() {}
