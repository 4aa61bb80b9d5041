//! An SSO login is exchanged twice.

use workos_auth::sso::SsoSession;
use workos_auth::{Callback, Confidential};

fn replay(session: SsoSession<Confidential>, first: Callback, second: Callback) {
    let _ = session.exchange(first);
    let _ = session.exchange(second);
}

fn main() {
    let _ = replay;
}
