//! A public client opens a sealed session, which needs a password on a server.

use workos_auth::{Error, PublicClient, SessionCookie};

fn misuse(cookie: &SessionCookie, client: &PublicClient) -> Result<(), Error> {
    let _session = cookie.open(client, "Fe26.2*1*…")?;
    Ok(())
}

fn main() {}
