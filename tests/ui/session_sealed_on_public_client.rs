//! A public client seals its session, which needs a password on a server.

use workos_auth::{Error, OpenedSession, Public, SessionCookie};

fn misuse(cookie: &SessionCookie, session: &OpenedSession<Public>) -> Result<(), Error> {
    let _cookie = cookie.set(session)?;
    Ok(())
}

fn main() {}
