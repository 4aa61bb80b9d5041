// An authorization code is given where a refresh token belongs.
use workos_auth::{AuthorizationCode, PublicClient};

fn misuse(client: PublicClient, code: AuthorizationCode) {
    let _ = client.authenticate_with_refresh_token(code);
}

fn main() {}
