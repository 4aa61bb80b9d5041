//! A public client begins an SSO login, which needs an API key.

use workos_auth::id::ConnectionId;
use workos_auth::{PublicClient, RedirectUri};

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let redirect = RedirectUri::new("https://example.com/sso").unwrap();
    let _login = client.authorize_sso(redirect, ConnectionId::new("conn_1").unwrap());
}
