//! A device login is begun, and nobody waits for it.
#![deny(unused_must_use)]

use workos_auth::{Error, PublicClient};

async fn misuse(client: PublicClient) -> Result<(), Error> {
    client.device_authorization().send().await?;
    Ok(())
}

fn main() {}
