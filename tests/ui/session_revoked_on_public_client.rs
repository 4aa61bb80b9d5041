//! A public client revokes its session, which needs an API key.

use workos_auth::{ActiveSession, Public};

fn misuse(session: ActiveSession<Public>) {
    let _request = session.revoke();
}

fn main() {}
