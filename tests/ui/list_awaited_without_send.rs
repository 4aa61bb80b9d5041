//! A list is awaited, and never fetched.

use workos_auth::api::{Page, UserSession};
use workos_auth::{ConfidentialClient, Error, UserId};

async fn misuse(client: ConfidentialClient, id: UserId) -> Result<Page<UserSession>, Error> {
    Ok(client.sessions().list(&id).limit(10).await?)
}

fn main() {}
