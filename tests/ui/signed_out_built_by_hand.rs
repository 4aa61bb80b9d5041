//! The evidence that clears a session cookie is built by hand.

use workos_auth::session::SignedOutReason;
use workos_auth::{SessionCookie, SetCookie, SignedOut};

fn misuse(cookie: &SessionCookie) -> SetCookie {
    cookie.clear(&SignedOut { reason: SignedOutReason::Ended, error: None })
}

fn main() {}
