//! Only a verifier makes a verified token.
#![allow(unreachable_code)]

use workos_auth::VerifiedToken;

fn main() {
    let _token: VerifiedToken = VerifiedToken { verified: todo!() };
}
