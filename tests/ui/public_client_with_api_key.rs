//! A public client is given an API key.

use workos_auth::PublicClient;
use workos_auth::secret::ApiKey;

fn misuse(client: PublicClient, key: ApiKey) {
    let _ = client.with_api_key(key);
}

fn main() {}
