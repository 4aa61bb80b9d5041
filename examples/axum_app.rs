//! A web application with axum: a public page, a protected one, and a few lines for each handler of the login.
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
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use workos_auth::handlers::{NotLoggedOut, NotSwitched};
use workos_auth::parking::Parking;
use workos_auth::session::{CookieSessions, MemorySessionStore, SwitchError};
use workos_auth::testing::AuthKit;
use workos_auth::typestate::SessionLayer;
use workos_auth::{
    ConfidentialClient, CookiePassword, Error, LoginHandlers, RedirectUri, SessionCookie, SessionManager, SessionState,
};

type App<L> = State<Arc<LoginHandlers<L>>>;

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
        authkit = AuthKit::start().await?;
        authkit.confidential_client()
    };

    // An application keeps its passwords where it keeps its other secrets.
    let parking = Parking::new(CookiePassword::generate()?);
    let app = if env::var("SESSIONS").is_ok_and(|sessions| sessions == "cookie") {
        let sessions = CookieSessions::new(client.clone(), SessionCookie::new(CookiePassword::generate()?)?);
        routes(LoginHandlers::new(client, sessions, parking, redirect_uri))
    } else {
        let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
        routes(LoginHandlers::new(client, sessions, parking, redirect_uri))
    };
    println!("Open {origin}/");
    Ok(axum::serve(listener, app).await?)
}

fn routes<L: SessionLayer>(handlers: LoginHandlers<L>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", get(login::<L>))
        .route("/callback", get(callback::<L>))
        .route("/account", get(account::<L>))
        .route("/organizations/{id}", post(organization::<L>))
        .route("/logout", post(logout::<L>))
        .with_state(Arc::new(handlers))
}

async fn home() -> Html<&'static str> {
    Html("<!doctype html><title>Home</title><p>Hello. <a href=\"/login?return_to=/account\">Sign in</a>")
}

async fn login<L: SessionLayer>(State(app): App<L>, request: Parts) -> Response {
    match app.begin_login(&request) {
        Ok(response) => response.map(|()| Body::empty()),
        Err(error) => problem(&error),
    }
}

async fn callback<L: SessionLayer>(State(app): App<L>, request: Parts) -> Response {
    match app.finish_login(&request).await {
        Ok(login) => login.response.map(|()| Body::empty()),
        Err(error) => problem(&error),
    }
}

async fn account<L: SessionLayer>(State(app): App<L>, request: Parts) -> Response {
    app.authenticate(&request).await.respond(|state| match state {
        SessionState::Active(session) => {
            let organization = session.organization_id().map_or("no organization", |id| id.as_str());
            let name = escape(&session.user().email);
            let button = "<form method=post action=/logout><button>Sign out</button></form>";
            Html(format!("<!doctype html><title>Account</title><p>{name} in {organization}{button}")).into_response()
        }
        SessionState::SignedOut(_) => sign_in(),
        SessionState::TemporarilyUnknown(error) => problem(&error),
    })
}

async fn organization<L: SessionLayer>(State(app): App<L>, Path(id): Path<String>, request: Parts) -> Response {
    let id = match id.parse() {
        Ok(id) => id,
        Err(error) => return problem(&error),
    };
    app.switch_organization(&request, id).await.respond(|switched| match switched {
        Ok(_) => Redirect::to("/account").into_response(),
        Err(NotSwitched::Refused(refused)) => refused.response().map(|()| Body::empty()),
        Err(NotSwitched::Failed(SwitchError::Kept(error))) => problem(&error),
        Err(NotSwitched::Failed(SwitchError::SignedOut(_))) => sign_in(),
    })
}

async fn logout<L: SessionLayer>(State(app): App<L>, request: Parts) -> Response {
    match app.logout(&request).await {
        Ok(response) => response.map(|()| Body::empty()),
        Err(NotLoggedOut::Refused(refused)) => refused.response().map(|()| Body::empty()),
        Err(NotLoggedOut::Failed(error)) => problem(&error),
    }
}

fn sign_in() -> Response {
    Redirect::to("/login?return_to=/account").into_response()
}

/// The text of an error holds no secret, so it may go into a log.
fn problem(error: &Error) -> Response {
    eprintln!("{error}");
    let status = if error.is_transient() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_REQUEST };
    (status, "That did not work. Please try again.").into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
