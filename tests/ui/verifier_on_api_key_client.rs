//! A client without a client ID verifies access tokens.

fn main() -> Result<(), workos_auth::Error> {
    let _verifier = workos_auth::ApiKeyClient::new("sk_example")?.verifier();
    Ok(())
}
