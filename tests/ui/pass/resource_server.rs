//! An API takes the tokens of applications, and each handler says by type what it needs.

use axum::Router;
use axum::routing::get;
use workos_auth::connect::{MissingScope, NotAuthorized, ResourceServer, ResourceToken, Scope, Scoped};

struct WritePosts;

impl Scope for WritePosts {
    const NAME: &'static str = "write:posts";
}

async fn me(token: ResourceToken) -> String {
    format!("{:?}", token.subject())
}

async fn publish(token: Scoped<WritePosts>) -> String {
    format!("published in {:?}", token.organization_id())
}

fn app(server: ResourceServer) -> Router {
    let metadata = server.routes();
    Router::new().route("/me", get(me)).route("/publish", get(publish)).merge(metadata).with_state(server)
}

async fn without_a_framework(server: &ResourceServer, headers: &http::HeaderMap) -> Result<String, NotAuthorized> {
    let token = server.admit(headers).await?;
    token.scope("read:posts")?;
    Ok(token.token_id().to_owned())
}

fn gate(token: ResourceToken) -> Result<Scoped<WritePosts>, MissingScope> {
    Scoped::check(token)
}

fn main() {}
