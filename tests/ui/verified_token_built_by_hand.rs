//! Only a verifier makes a verified token.

use workos_auth::VerifiedToken;

fn main() {
    let _token: VerifiedToken = VerifiedToken { verified: Default::default() };
}
