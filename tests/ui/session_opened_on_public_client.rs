//! A sealed session is opened by the server that sealed it.

use workos_auth::{PublicClient, SessionCookie};

fn run(cookie: &SessionCookie, client: &PublicClient) -> Result<(), workos_auth::Error> {
    let _session = cookie.open(client, "Fe26.2*1*…")?;
    Ok(())
}

fn main() {}
