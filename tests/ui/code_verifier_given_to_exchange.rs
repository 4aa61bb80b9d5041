//! A code verifier of the application's own is given to an exchange.

use workos_auth::ConfidentialClient;
use workos_auth::secret::{AuthorizationCode, CodeVerifier};

fn misuse(client: ConfidentialClient, code: AuthorizationCode, verifier: CodeVerifier) {
    let _ = client.authenticate_with_code(code).code_verifier(verifier);
}

fn main() {}
