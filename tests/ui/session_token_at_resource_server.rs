//! A session's token is let in at an API.

use workos_auth::AccessToken;
use workos_auth::connect::ResourceServer;

async fn misuse(server: &ResourceServer, token: &AccessToken) {
    let _ = server.verify(token).await;
}

fn main() {}
