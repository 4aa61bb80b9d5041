//! A refresh that failed clears the session cookie, whatever the reason.

use workos_auth::session::RefreshError;
use workos_auth::{Confidential, SessionCookie, SetCookie};

fn misuse(error: RefreshError<Confidential>, cookie: &SessionCookie) -> SetCookie {
    cookie.clear(&error)
}

fn main() {}
