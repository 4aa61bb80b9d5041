//! The cookie password is a server's secret, as its API key is.

use workos_auth::{Public, Session, SessionCookie};

fn run(cookie: &SessionCookie, session: &Session<Public>) -> Result<(), workos_auth::Error> {
    let _cookie = cookie.set(session)?;
    Ok(())
}

fn main() {}
