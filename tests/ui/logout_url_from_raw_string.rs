//! A session is ended by an ID that anybody could have made up.

fn main() -> Result<(), workos_auth::Error> {
    let client = workos_auth::PublicClient::new("client_123")?;
    let _url = client.logout_url(&"session_01", None);
    Ok(())
}
