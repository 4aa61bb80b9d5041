//! WorkOS's own API key is validated as if a customer had presented it.

use workos_auth::ConfidentialClient;
use workos_auth::secret::ApiKey;

async fn validate(client: ConfidentialClient, key: ApiKey) {
    let _ = client.api_keys().validate(&key).await;
}

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    drop(validate(client, ApiKey::new("sk_example").unwrap()));
}
