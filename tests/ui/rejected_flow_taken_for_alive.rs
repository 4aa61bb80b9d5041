//! A rejected login is sent again without being recovered.

use workos_auth::{CodeExchange, Public, Rejected};

async fn misuse(rejected: Rejected<CodeExchange<Public>>) {
    let _ = rejected.send().await;
}

fn main() {}
