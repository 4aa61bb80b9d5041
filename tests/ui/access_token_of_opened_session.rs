//! The access token of an opened session is passed on.

use workos_auth::{AccessToken, OpenedSession, Public};

fn misuse(session: &OpenedSession<Public>) -> &AccessToken {
    session.access_token()
}

fn main() {}
