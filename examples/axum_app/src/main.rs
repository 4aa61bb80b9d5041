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
use std::time::Duration;

use axum_app::{Site, app, demo};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use workos_auth::parking::Parking;
use workos_auth::session::{BoxSessionStore, CookieSessions, MemorySessionStore, RedisSessionStore};
use workos_auth::{ConfidentialClient, CookiePassword, LoginHandlers, RedirectUri, SessionCookie, SessionManager};

/// What runs this process must give it a little more before it kills it.
const LAST_WRITES: Duration = Duration::from_secs(60);

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
        app(LoginHandlers::new(client.clone(), sessions, parking, redirect_uri).after_logout(after_logout), site)
    } else {
        let sessions = CookieSessions::new(client.clone(), SessionCookie::new(password()?)?);
        app(LoginHandlers::new(client.clone(), sessions, parking, redirect_uri).after_logout(after_logout), site)
    };
    println!("Open {origin}/");
    axum::serve(listener, app).with_graceful_shutdown(asked_to_end()).await?;
    // A refresh goes on when its browser has gone, and this process has the only copy of the new tokens until they are written.
    if timeout(LAST_WRITES, client.idle()).await.is_err() {
        eprintln!("Some users must sign in again: the store is away.");
    }
    Ok(())
}

/// Ctrl-C in a terminal, SIGTERM from whatever runs servers.
async fn asked_to_end() {
    #[cfg(unix)]
    if let Ok(mut terminated) = signal(SignalKind::terminate()) {
        tokio::select! {
            _ = ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    drop(ctrl_c().await);
}
