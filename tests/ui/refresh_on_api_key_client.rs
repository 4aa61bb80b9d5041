//! A client without a client ID refreshes a session.

use workos_auth::{ApiKeyClient, RefreshToken};

fn misuse(client: ApiKeyClient, token: RefreshToken) {
    let _ = client.authenticate_with_refresh_token(token);
}

fn main() {}
