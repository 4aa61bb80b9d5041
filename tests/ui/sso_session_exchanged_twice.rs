//! An SSO session is used up by its exchange.

use workos_auth::{Callback, Confidential, SsoSession};

fn replay(session: SsoSession<Confidential>, first: Callback, second: Callback) {
    let _ = session.exchange(first);
    let _ = session.exchange(second);
}

fn main() {
    let _ = replay;
}
