//! An outage of the signing keys clears the session cookie.

use workos_auth::session::NotActive;
use workos_auth::{Confidential, SessionCookie, SetCookie};

fn misuse(problem: NotActive<Confidential>, cookie: &SessionCookie) -> Option<SetCookie> {
    match problem {
        NotActive::KeysUnavailable(rejected) => Some(cookie.clear(rejected.error())),
        _ => None,
    }
}

fn main() {}
