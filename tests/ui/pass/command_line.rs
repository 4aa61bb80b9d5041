//! A login of a command line, whose refresh token is kept on the user's device.

use workos_auth::session::{MemoryTokenStore, TokenSession};
use workos_auth::{Error, LoopbackListener, PublicClient, SessionState};

async fn sign_in(client: PublicClient) -> Result<TokenSession<MemoryTokenStore>, Error> {
    let listener = LoopbackListener::bind("/callback").await?;
    let login = client.authorize(listener.redirect_uri().clone()).authkit().begin()?;
    println!("open {}", login.url().as_str());
    let response = listener.wait(login).await?.send().await?;
    let session = TokenSession::new(client, MemoryTokenStore::new());
    session.sign_in(response).await?;
    Ok(session)
}

async fn greet(session: &TokenSession<MemoryTokenStore>) -> String {
    match session.authenticate().await {
        SessionState::Active(signed_in) => format!("hello, {}", signed_in.user().email),
        SessionState::SignedOut(_) => "please sign in".to_owned(),
        SessionState::TemporarilyUnknown(error) => format!("please try again: {error}"),
    }
}

async fn sign_out(session: &TokenSession<MemoryTokenStore>) -> Result<(), Error> {
    if let Some(url) = session.sign_out(None).await? {
        println!("open {url}");
    }
    Ok(())
}

fn main() {}
