//! A login that needs a further step is looked for among those that are finished.

use workos_auth::{CodeExchange, Public, Step};

async fn misuse(exchange: CodeExchange<Public>) {
    match exchange.send().await {
        Ok(Step::MfaChallenge(step)) => println!("{} factors", step.factors().len()),
        Ok(response) => println!("hello, {}", response.user.email),
        Err(error) => println!("{error}"),
    }
}

fn main() {}
