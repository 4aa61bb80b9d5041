//! A session ID that anybody could have made up ends no session.

fn main() -> Result<(), workos_auth::Error> {
    let client = workos_auth::PublicClient::new("client_123")?;
    let _url = client.logout_url(&"session_01", None);
    Ok(())
}
