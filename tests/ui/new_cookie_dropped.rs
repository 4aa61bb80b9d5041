//! The new cookie of a refreshed session is dropped.
#![deny(unused_must_use)]

use workos_auth::{Confidential, Error, Refreshed, SessionCookie};

fn misuse(session: Refreshed<Confidential>, cookie: &SessionCookie) -> Result<(), Error> {
    session.into_cookie(cookie)?;
    Ok(())
}

fn main() {}
