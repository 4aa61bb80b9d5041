//! A single-use refresh token is used twice.

use workos_auth::{PublicClient, RefreshToken};

async fn misuse(client: PublicClient, token: RefreshToken) {
    let _ = client.authenticate_with_refresh_token(token).send().await;
    let _ = client.authenticate_with_refresh_token(token).send().await;
}

fn main() {}
