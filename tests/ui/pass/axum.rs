//! Protected pages with axum, with a state of ours and with one of the application's own.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::response::Html;
use axum::routing::get;
use workos_auth::axum::Sessions;
use workos_auth::handlers::{NotAdmitted, Permission, Permitted};
use workos_auth::session::CookieSessions;
use workos_auth::tower::require_permission;
use workos_auth::{Error, LoginHandlers, SessionState, SignedIn};

struct WritePosts;

impl Permission for WritePosts {
    const SLUG: &'static str = "posts:write";
}

#[derive(Clone)]
struct Database;

#[derive(Clone, FromRef)]
struct App {
    sessions: Sessions,
    database: Database,
}

async fn account(user: SignedIn) -> String {
    user.user().email.clone()
}

async fn home(user: Option<SignedIn>) -> Html<&'static str> {
    Html(if user.is_some() { "hello" } else { "<a href=/login>Sign in</a>" })
}

async fn state(state: SessionState) -> Result<String, Error> {
    Ok(state.active()?.user().email.clone())
}

async fn own_page(user: Result<SignedIn, NotAdmitted>) -> Result<String, NotAdmitted> {
    Ok(user?.user().email.clone())
}

async fn write(author: Permitted<WritePosts>, State(_): State<Database>) -> String {
    author.membership().organization_id().to_string()
}

fn with_ours(handlers: &Arc<LoginHandlers<CookieSessions>>) -> Router {
    let admin = Router::new().route("/posts", get(account)).route_layer(require_permission("posts:write"));
    let routes = Router::new().route("/", get(home)).route("/state", get(state)).route("/own", get(own_page));
    handlers.app(routes.nest("/admin", admin))
}

fn with_its_own(handlers: &Arc<LoginHandlers<CookieSessions>>) -> Router {
    let routes = Router::new().route("/account", get(account)).route("/write", get(write));
    handlers.app_with(routes, |sessions| App { sessions, database: Database })
}

fn main() {}
