//! The API key is read by code that is generic over confidential clients.

use workos_auth::secret::ApiKey;
use workos_auth::typestate::IsConfidential;

fn misuse<K: IsConfidential>(credentials: &K) -> &ApiKey {
    credentials.api_key(Default::default())
}

fn main() {}
