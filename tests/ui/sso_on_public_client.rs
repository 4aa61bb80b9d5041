//! SSO without AuthKit ends in an exchange that needs the secret.

use workos_auth::{ConnectionId, PublicClient, RedirectUri};

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let redirect = RedirectUri::new("https://example.com/sso").unwrap();
    let _login = client.authorize_sso(redirect, ConnectionId::new("conn_1").unwrap());
}
