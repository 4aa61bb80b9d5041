// A rejected login is used as if it had come back for sure.
use workos_auth::{CodeExchange, Public, Rejected};

async fn misuse(rejected: Rejected<CodeExchange<Public>>) {
    let _ = rejected.send().await;
}

fn main() {}
