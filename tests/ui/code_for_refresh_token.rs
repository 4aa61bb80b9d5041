//! An authorization code is given where a refresh token belongs.

use workos_auth::PublicClient;
use workos_auth::secret::AuthorizationCode;

fn misuse(client: PublicClient, code: AuthorizationCode) {
    let _ = client.authenticate_with_refresh_token(code);
}

fn main() {}
