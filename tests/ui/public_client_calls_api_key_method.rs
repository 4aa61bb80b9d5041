//! A public client exchanges a code without PKCE, which needs an API key.

use workos_auth::PublicClient;
use workos_auth::secret::AuthorizationCode;

fn misuse(client: PublicClient, code: AuthorizationCode) {
    let _ = client.authenticate_with_code(code);
}

fn main() {}
