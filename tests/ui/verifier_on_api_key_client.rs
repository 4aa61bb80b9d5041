//! The keys are those of a client ID.

fn main() -> Result<(), workos_auth::Error> {
    let _verifier = workos_auth::ApiKeyClient::new("sk_example")?.verifier();
    Ok(())
}
