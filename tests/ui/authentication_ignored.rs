// A login is taken for finished without a look at its outcome.
#![deny(unused_must_use)]

use workos_auth::{CodeExchange, Error, Public};

async fn misuse(exchange: CodeExchange<Public>) -> Result<(), Error> {
    exchange.send().await?;
    Ok(())
}

fn main() {}
