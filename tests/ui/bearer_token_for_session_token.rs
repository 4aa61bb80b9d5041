//! What a request brings to an API is verified as a session's token.

use workos_auth::TokenVerifier;
use workos_auth::secret::BearerToken;

async fn misuse(verifier: &TokenVerifier, token: &BearerToken) {
    let _ = verifier.verify(token).await;
}

fn main() {}
