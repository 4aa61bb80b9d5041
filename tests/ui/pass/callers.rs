//! Each route says whom it takes, and one takes all.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use workos_auth::api::{ApiKeyValidator, ValidApiKey};
use workos_auth::axum::Sessions;
use workos_auth::caller::Caller;
use workos_auth::connect::{ResourceServer, ResourceToken, Scope, Scoped};
use workos_auth::handlers::{Permission, Permitted, PermittedKey};
use workos_auth::session::MemorySessionStore;
use workos_auth::{LoginHandlers, SessionManager, SignedIn};

struct WritePosts;

impl Permission for WritePosts {
    const SLUG: &'static str = "posts:write";
}

impl Scope for WritePosts {
    const NAME: &'static str = "write:posts";
}

#[derive(Clone, FromRef)]
struct App {
    sessions: Sessions,
    server: ResourceServer,
    keys: ApiKeyValidator,
}

async fn user(_: SignedIn) {}
async fn token(_: ResourceToken) {}
async fn key(_: ValidApiKey) {}
async fn permitted(_: Permitted<WritePosts>) {}
async fn scoped(_: Scoped<WritePosts>) {}
async fn permitted_key(_: PermittedKey<WritePosts>) {}

async fn any(caller: Caller) -> Option<String> {
    match &caller {
        Caller::User(user) => Some(user.user().email.clone()),
        Caller::Token(token) => token.user_id().map(ToString::to_string),
        Caller::Key(key) => Some(key.organization_id().to_string()),
    }
}

type Handlers = Arc<LoginHandlers<SessionManager<MemorySessionStore>>>;

fn app(handlers: &Handlers, server: ResourceServer, keys: ApiKeyValidator) -> Router {
    let routes = Router::new().route("/user", get(user)).route("/token", get(token)).route("/key", get(key));
    let gates = Router::new()
        .route("/permitted", get(permitted))
        .route("/scoped", get(scoped))
        .route("/permitted-key", get(permitted_key));
    let any = Router::new().route("/any", get(async |caller| any(caller).await.unwrap_or_default()));
    handlers.app_with(routes.merge(gates).merge(any), |sessions| App { sessions, server, keys })
}

/// An API without users.
fn api(keys: ApiKeyValidator) -> Router {
    Router::new().route("/key", get(key)).with_state(keys)
}

fn main() {}
