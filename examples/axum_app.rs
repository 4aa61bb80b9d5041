//! A web application with axum: a public page, a protected one, and the routes of a login.
//!
//! Without `WORKOS_CLIENT_ID` it signs in to an AuthKit inside this process. With it and `WORKOS_API_KEY` it uses the real
//! service. `SESSIONS=cookie` keeps the sessions in their cookies instead of in memory. `LISTEN` is the address that it listens on.
//!
//! ```text
//! cargo run --example axum_app
//! ```

use std::env;
use std::error::Error as StdError;
use std::sync::Arc;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use tokio::net::TcpListener;
use workos_auth::axum::Sessions;
use workos_auth::parking::Parking;
use workos_auth::session::{CookieSessions, MemorySessionStore};
use workos_auth::testing::{AuthKit, TestUser};
use workos_auth::{
    ConfidentialClient, CookiePassword, LoginHandlers, RedirectUri, SessionCookie, SessionManager, SignedIn,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("LISTEN").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let redirect_uri = RedirectUri::new(format!("{origin}/callback"))?;

    let authkit;
    let client = if env::var_os("WORKOS_CLIENT_ID").is_some() {
        ConfidentialClient::from_env()?
    } else {
        println!("WORKOS_CLIENT_ID is not set: signing in to an AuthKit inside this process, as ada@example.com.");
        let ada = TestUser::new("ada@example.com").organization("org_one").organization("org_two");
        authkit = AuthKit::builder().user(ada).start().await?;
        authkit.confidential_client()
    };

    // An application keeps its passwords where it keeps its other secrets.
    let parking = Parking::new(CookiePassword::generate()?);
    let app = if env::var("SESSIONS").is_ok_and(|sessions| sessions == "cookie") {
        let sessions = CookieSessions::new(client.clone(), SessionCookie::new(CookiePassword::generate()?)?);
        Arc::new(LoginHandlers::new(client, sessions, parking, redirect_uri)).app(routes())
    } else {
        let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
        Arc::new(LoginHandlers::new(client, sessions, parking, redirect_uri)).app(routes())
    };
    println!("Open {origin}/");
    Ok(axum::serve(listener, app).await?)
}

/// The layer asks for the session, and adds the routes of a login.
fn routes() -> Router<Sessions> {
    Router::new().route("/", get(home)).route("/account", get(account))
}

async fn home() -> Html<&'static str> {
    Html("<!doctype html><title>Home</title><p>Hello. <a href=\"/login?return_to=/account\">Sign in</a>")
}

/// Only for users who are signed in.
async fn account(user: SignedIn) -> Html<String> {
    let organization = user.organization_id().map_or("no organization", |id| id.as_str());
    let name = user.user().email.replace('&', "&amp;").replace('<', "&lt;");
    let switch = "<form method=post action=/switch-organization><input type=hidden name=return_to value=/account>\
        <button name=organization_id value=org_one>One</button><button name=organization_id value=org_two>Two</button></form>";
    let sign_out = "<form method=post action=/logout><button>Sign out</button></form>";
    Html(format!("<!doctype html><title>Account</title><p>{name} in {organization}{switch}{sign_out}"))
}
