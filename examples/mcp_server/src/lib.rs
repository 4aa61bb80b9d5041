//! An MCP server whose clients bring access tokens of WorkOS AuthKit. What protects it is [`app`] and [`authorize`].

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use rmcp::handler::server::tool::Extension;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, tool, tool_router};
use workos_auth::connect::{ResourceServer, Scope, Scoped};

/// What a client must be allowed to use this server.
struct ReadPosts;

impl Scope for ReadPosts {
    const NAME: &'static str = "read:posts";
}

/// The MCP server at `/mcp` behind the check, and beside it the metadata that says where to get a token.
///
/// It answers to hosts of loopback only; a server on the network names its own: `with_allowed_hosts`.
pub fn app(server: ResourceServer) -> Router {
    let sessions = Arc::new(LocalSessionManager::default());
    let mcp =
        StreamableHttpService::new(|| Ok(Posts { published: 2 }), sessions, StreamableHttpServerConfig::default());
    Router::new().nest_service("/mcp", mcp).layer(from_fn_with_state(server.clone(), authorize)).merge(server.routes())
}

/// Lets a request in that brings a good token with the scope, and hands the token to the tools.
async fn authorize(token: Scoped<ReadPosts>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(token);
    next.run(request).await
}

/// The tools.
struct Posts {
    published: usize,
}

#[tool_router(server_handler)]
impl Posts {
    #[tool(description = "Counts the posts of the organization that the caller acts for")]
    fn count_posts(&self, Extension(request): Extension<Parts>) -> Result<String, ErrorData> {
        let token = request.extensions.get::<Scoped<ReadPosts>>();
        let token = token.ok_or_else(|| ErrorData::internal_error("the request was not authorized", None))?;
        let organization = token.organization_id().map_or("no organization", |id| id.as_str());
        Ok(format!("{:?} sees {} posts of {organization}", token.subject(), self.published))
    }
}
