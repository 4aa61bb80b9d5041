//! A login is completed once more.

use workos_auth::{AuthenticationResponse, CodeExchange, Error, Public};

async fn misuse(exchange: CodeExchange<Public>) -> Result<AuthenticationResponse, Error> {
    exchange.send().await?.complete()
}

fn main() {}
