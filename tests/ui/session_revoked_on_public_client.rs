//! A public client ends its session in the browser.

use workos_auth::{Public, Session, VerifiedToken};

fn run(session: Session<Public>, token: &VerifiedToken) {
    let _request = session.revoke(token);
}

fn main() {}
