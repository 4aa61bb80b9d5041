//! A user's own token is used for an endpoint that needs an API key.

use workos_auth::ConfidentialClient;
use workos_auth::secret::SsoAccessToken;

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    let handle = client.with_access_token(&SsoAccessToken::new("token"));
    let _users = handle.users();
}
