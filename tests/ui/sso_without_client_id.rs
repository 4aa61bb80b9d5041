//! An SSO login needs a client ID.

use workos_auth::{ApiKeyClient, ConnectionId, RedirectUri};

fn main() {
    let client = ApiKeyClient::new("sk_example").unwrap();
    let redirect = RedirectUri::new("https://example.com/sso").unwrap();
    let _login = client.authorize_sso(redirect, ConnectionId::new("conn_1").unwrap());
}
