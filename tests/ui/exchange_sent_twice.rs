//! A code is exchanged twice.

use workos_auth::{CodeExchange, Public};

async fn misuse(exchange: CodeExchange<Public>) {
    let _ = exchange.send().await;
    let _ = exchange.send().await;
}

fn main() {}
