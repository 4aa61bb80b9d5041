//! A user signs in, and the session is dropped.
#![deny(unused_must_use)]

use workos_auth::{CodeExchange, Error, Public};

async fn misuse(exchange: CodeExchange<Public>) -> Result<(), Error> {
    exchange.send().await?;
    Ok(())
}

fn main() {}
