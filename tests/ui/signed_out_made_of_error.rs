//! The evidence that clears a session cookie is made of an error.

use workos_auth::{Error, SessionCookie, SetCookie};

fn misuse(error: Error, cookie: &SessionCookie) -> SetCookie {
    cookie.clear(&error.into())
}

fn main() {}
