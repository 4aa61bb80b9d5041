//! A user's own token opens the user's own profile, and nothing else.

use workos_auth::{ConfidentialClient, SsoAccessToken};

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    let handle = client.with_access_token(&SsoAccessToken::new("token"));
    let _users = handle.users();
}
