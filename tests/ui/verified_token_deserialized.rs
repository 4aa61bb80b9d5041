//! A verified token is read from a database or a request.

use workos_auth::VerifiedToken;

fn main() {
    let _token: VerifiedToken = serde_json::from_str("{}").unwrap();
}
