//! A login in the browser.

use workos_auth::{AuthenticationResponse, Callback, Error, PkceSession, Public, PublicClient, RedirectUri};

fn begin(client: &PublicClient) -> Result<PkceSession<Public>, Error> {
    let redirect_uri = RedirectUri::new("http://127.0.0.1:8080/callback")?;
    let session = client.authorize(redirect_uri).authkit().begin()?;
    println!("send the browser to {}", session.url().as_str());
    Ok(session)
}

async fn finish(session: PkceSession<Public>, url: &str) -> Result<AuthenticationResponse, Error> {
    let callback = Callback::from_url(url)?;
    Ok(session.exchange(callback)?.send().await?)
}

fn main() {}
