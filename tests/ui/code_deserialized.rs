//! A code is read from the query of a request without its state.

use workos_auth::secret::AuthorizationCode;

fn misuse(query: &str) -> Option<AuthorizationCode> {
    serde_json::from_str(query).ok()
}

fn main() {}
