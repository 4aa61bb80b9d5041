//! The API key is read by code that is generic over clients that hold one.

use workos_auth::secret::ApiKey;
use workos_auth::typestate::HasApiKey;

fn misuse<K: HasApiKey>(credentials: &K) -> &ApiKey {
    credentials.api_key()
}

fn main() {}
