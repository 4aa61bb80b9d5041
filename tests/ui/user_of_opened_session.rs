//! The user of an opened session is taken for signed in.

use workos_auth::{ConfidentialClient, Error, SessionCookie};

fn misuse(cookie: &SessionCookie, client: &ConfidentialClient, sealed: &str) -> Result<String, Error> {
    Ok(cookie.open(client, sealed)?.user().email.clone())
}

fn main() {}
