//! A code that is meant for another application is exchanged here.

use workos_auth::ConfidentialClient;
use workos_auth::secret::AuthKitAuthorizationCode;

fn misuse(client: ConfidentialClient, code: AuthKitAuthorizationCode) {
    let _ = client.authenticate_with_code(code);
}

fn main() {}
