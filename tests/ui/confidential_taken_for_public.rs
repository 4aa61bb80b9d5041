//! A client with an API key is passed off as a public one.

use workos_auth::{Client, Error, PublicClient};

fn misuse() -> Result<PublicClient, Error> {
    Client::builder().client_id("client_123").api_key("sk_123").build()
}

fn main() {}
