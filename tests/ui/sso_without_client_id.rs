//! A client without a client ID begins an SSO login.

use workos_auth::id::ConnectionId;
use workos_auth::{ApiKeyClient, RedirectUri};

fn main() {
    let client = ApiKeyClient::new("sk_example").unwrap();
    let redirect = RedirectUri::new("https://example.com/sso").unwrap();
    let _login = client.authorize_sso(redirect, ConnectionId::new("conn_1").unwrap());
}
