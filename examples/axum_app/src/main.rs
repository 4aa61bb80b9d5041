//! Starts the application.
//!
//! Without `WORKOS_CLIENT_ID` it signs in to an AuthKit inside this process. With it and `WORKOS_API_KEY` it uses the real
//! service, where `<origin>/callback` is a redirect URI and `<origin>/` a sign-out redirect; `AUTHKIT_ORIGIN` is that of its sign-in pages.
//! `SESSIONS` says where the sessions are: `memory` (the default), `cookie`, or the address of a Redis. `LISTEN` is the
//! address that it listens on, `ORIGIN` that of its users if it is behind a proxy.
//!
//! ```text
//! cargo run -p axum_app
//! ```

use std::env;
use std::error::Error as StdError;

use axum_app::{Site, app, demo};
use tokio::net::TcpListener;
use workos_auth::parking::Parking;
use workos_auth::session::{BoxSessionStore, CookieSessions, MemorySessionStore, RedisSessionStore};
use workos_auth::{ConfidentialClient, CookiePassword, LoginHandlers, RedirectUri, SessionCookie, SessionManager};

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("LISTEN").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    let origin = env::var("ORIGIN").or_else(|_| listener.local_addr().map(|address| format!("http://{address}")))?;
    let redirect_uri = RedirectUri::new(format!("{origin}/callback"))?;
    let after_logout = RedirectUri::new(format!("{origin}/"))?;

    let authkit;
    let mut workos = env::var("WORKOS_BASE_URL").unwrap_or_else(|_| "https://api.workos.com".to_owned());
    let for_trying = env::var_os("WORKOS_CLIENT_ID").is_none();
    let client = if for_trying {
        authkit = demo::authkit().start().await?;
        workos = authkit.base_url().to_owned();
        println!("WORKOS_CLIENT_ID is not set: these people can sign in, to an AuthKit inside this process.");
        for person in demo::people() {
            println!("  {:24}{}", person.email, person.about);
        }
        authkit.confidential_client()
    } else {
        ConfidentialClient::from_env()?
    };
    if let Ok(authkit) = env::var("AUTHKIT_ORIGIN") {
        workos = format!("{workos} {authkit}");
    }

    // One password for all processes of the application, kept where its other secrets are. Without it, a restart ends logins that are
    // under way, and sessions that are in cookies.
    let is_set = env::var_os("WORKOS_COOKIE_PASSWORD").is_some();
    let password = || if is_set { CookiePassword::from_env() } else { CookiePassword::generate() };
    let parking = Parking::new(password()?);
    let site = Site { client: client.clone(), workos, for_trying };
    let store = match env::var("SESSIONS").as_deref().unwrap_or("memory") {
        "cookie" => None,
        "memory" => Some(BoxSessionStore::new(MemorySessionStore::new())),
        redis => Some(BoxSessionStore::new(RedisSessionStore::from_url(redis)?)),
    };
    let app = if let Some(store) = store {
        let sessions = SessionManager::new(client.clone(), store);
        app(LoginHandlers::new(client, sessions, parking, redirect_uri).after_logout(after_logout), site)
    } else {
        let sessions = CookieSessions::new(client.clone(), SessionCookie::new(password()?)?);
        app(LoginHandlers::new(client, sessions, parking, redirect_uri).after_logout(after_logout), site)
    };
    println!("Open {origin}/");
    Ok(axum::serve(listener, app).await?)
}
