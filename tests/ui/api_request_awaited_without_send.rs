//! A call of the API is awaited, and never sent.

use workos_auth::{ConfidentialClient, Error, User, UserId};

async fn misuse(client: ConfidentialClient, id: UserId) -> Result<User, Error> {
    client.users().get(&id).await
}

fn main() {}
