//! A client is made, and nothing says what it holds.

use workos_auth::{Client, Error};

fn misuse() -> Result<(), Error> {
    let client = Client::new("client_123")?;
    drop(client);
    Ok(())
}

fn main() {}
