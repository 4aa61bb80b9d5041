//! The access token of a refreshed session is passed on before its new tokens are kept.

use workos_auth::{AccessToken, Public, Refreshed};

fn misuse(session: &Refreshed<Public>) -> &AccessToken {
    session.access_token()
}

fn main() {}
