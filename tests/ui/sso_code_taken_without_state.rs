//! The code of an SSO login is taken out of a request without its state.

use workos_auth::ConfidentialClient;

fn misuse(client: ConfidentialClient, code: String) {
    let _ = client.exchange_sso_code(code.into());
}

fn main() {}
