//! A client is made from the environment, and nothing says what it holds.

use workos_auth::{Client, Error};

fn misuse() -> Result<(), Error> {
    let client = Client::from_env()?;
    drop(client);
    Ok(())
}

fn main() {}
