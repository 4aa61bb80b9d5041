//! The session of one user, from sign-in to sign-out, with an AuthKit inside this process: `cargo run -p own_sessions`.

use own_sessions::{Result, Sessions};
use sqlx::SqlitePool;
use workos_auth::testing::{AuthKit, Browser};
use workos_auth::{Callback, CookiePassword, RedirectUri, SessionCookie};

#[tokio::main]
async fn main() -> Result<()> {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();

    // An application keeps the password where it keeps its other secrets. It is for the table alone: if a cookie is sealed with it too, a
    // row that is copied into that cookie signs its thief in.
    let seal = SessionCookie::new(CookiePassword::generate()?)?;
    let sessions = Sessions::new(client.clone(), seal, SqlitePool::connect("sqlite::memory:").await?).await?;

    let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
    let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
    let handle = sessions.sign_in(None, login.exchange(Callback::from_url(&callback)?)?.send().await?).await?;

    let session = sessions.authenticate(&handle).await?.ok_or("signed out")?;
    println!("Signed in  {}", session.user().email);
    println!("Sign out   {}", sessions.sign_out(&handle).await?.ok_or("signed out")?);
    println!("Signed out {}", sessions.authenticate(&handle).await?.is_none());
    Ok(())
}
