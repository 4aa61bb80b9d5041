//! A token is verified, and nobody looks at the result.
#![deny(unused_must_use)]

use workos_auth::{AccessToken, TokenVerifier};

async fn misuse(verifier: &TokenVerifier, token: &AccessToken) {
    verifier.verify(token).await;
}

fn main() {}
