//! A verified token is built by hand.
#![allow(unreachable_code)]

use workos_auth::VerifiedToken;

fn main() {
    let _token: VerifiedToken = VerifiedToken { verified: todo!() };
}
