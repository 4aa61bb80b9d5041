//! A customer's API key is given where WorkOS's own belongs.

use workos_auth::ConfidentialClient;
use workos_auth::secret::CustomerApiKey;

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    let _ = client.with_api_key(CustomerApiKey::new("sk_customer").unwrap());
}
