//! The access token of an SSO login, which is opaque, is verified.

use workos_auth::TokenVerifier;
use workos_auth::secret::SsoAccessToken;

async fn misuse(verifier: &TokenVerifier, token: &SsoAccessToken) {
    let _ = verifier.verify(token).await;
}

fn main() {}
