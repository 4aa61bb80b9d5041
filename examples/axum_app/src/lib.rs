//! The application: its routes, and what each response says to browsers.
//!
//! `LoginHandlers::app_with` puts the pages inside the layer that asks for the session, and adds `/login`, `/callback`, `/logout` and
//! `/switch-organization`. A handler that takes a [`SignedIn`] is reached only by users who are signed in.

pub mod demo;
mod pages;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::{from_fn, map_response_with_state};
use axum::response::Response;
use axum::routing::get;
use maud::Markup;
use workos_auth::axum::Sessions;
use workos_auth::handlers::{Permission, Permitted};
use workos_auth::typestate::SessionLayer;
use workos_auth::{ConfidentialClient, Error, LoginHandlers, SignedIn};

/// What the pages need besides the session.
#[derive(Clone, Debug)]
pub struct Site {
    /// For calls with the API key.
    pub client: ConfidentialClient,
    /// The origins of WorkOS that a sign-out passes, with spaces between them: the API, and the AuthKit domain.
    pub workos: String,
    /// WorkOS is an AuthKit inside this process: the home page says who can sign in.
    pub for_trying: bool,
}

/// The state of the router.
#[derive(Clone)]
struct App {
    sessions: Sessions,
    site: Site,
}

impl FromRef<App> for Sessions {
    fn from_ref(app: &App) -> Self {
        app.sessions.clone()
    }
}

/// The page that needs it is reached only by users who have this permission in their active organization.
struct ManageBilling;

impl Permission for ManageBilling {
    const SLUG: &'static str = "billing:manage";
}

/// The whole application.
pub fn app<L: SessionLayer>(handlers: LoginHandlers<L>, site: Site) -> Router {
    let policy = content_security_policy(&site.workos);
    let pages = Router::new()
        .route("/", get(home))
        .route("/account", get(account))
        .route("/organizations", get(organizations))
        .route("/billing", get(billing))
        .fallback(async || StatusCode::NOT_FOUND);
    Arc::new(handlers)
        .app_with(pages, |sessions| App { sessions, site })
        .layer(from_fn(problem::pages_for_problems))
        .route("/style.css", asset("text/css; charset=utf-8", include_str!("style.css")))
        .route("/icon.svg", asset("image/svg+xml", include_str!("icon.svg")))
        .layer(map_response_with_state(policy, for_browsers))
}

/// What browsers shall allow, whatever the response is.
async fn for_browsers(State(policy): State<HeaderValue>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // With `no-referrer`, our own forms would come without an `Origin`.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Browsers apply `form-action` to redirects too, and the form that signs out leads to WorkOS and from there back here.
fn content_security_policy(workos: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {workos}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn asset<S: Clone + Send + Sync + 'static>(
    content_type: &'static str,
    text: &'static str,
) -> axum::routing::MethodRouter<S> {
    get(async move || ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "max-age=3600")], text))
}

/// For everybody. In an outage nobody can tell whose session it is, and the extractor answers with 503: a page without the user would
/// look like a sign-out.
async fn home(visitor: Option<SignedIn>, State(app): State<App>) -> Markup {
    pages::home(visitor.as_ref(), app.site.for_trying)
}

async fn account(user: SignedIn) -> Markup {
    pages::account(&user)
}

async fn organizations(user: SignedIn, State(app): State<App>) -> Result<Markup, Error> {
    let memberships = app.site.client.organization_memberships().list().user(&user.user().id).send().await?;
    Ok(pages::organizations(&user, &memberships.data))
}

async fn billing(user: Permitted<ManageBilling>) -> Markup {
    pages::billing(user.signed_in(), user.membership().organization_id())
}
