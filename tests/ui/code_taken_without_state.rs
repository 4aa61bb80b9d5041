//! A code is taken out of a request without its state.

use workos_auth::ConfidentialClient;
use workos_auth::secret::AuthorizationCode;

fn misuse(client: ConfidentialClient, code: &str) {
    let _ = client.authenticate_with_code(AuthorizationCode::new(code));
}

fn main() {}
