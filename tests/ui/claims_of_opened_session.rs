//! Claims are read from an opened session.

use workos_auth::{OpenedSession, Public, UserId};

fn misuse(session: &OpenedSession<Public>) -> &UserId {
    session.token().user_id()
}

fn main() {}
