//! The access token of a session is given where one of an SSO login belongs.

use workos_auth::{AccessToken, PublicClient};

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let _handle = client.with_access_token(&AccessToken::new("token"));
}
