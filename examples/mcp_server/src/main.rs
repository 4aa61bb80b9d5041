//! `cargo run -p mcp_server`, with the AuthKit domain in `WORKOS_AUTHKIT_DOMAIN`. Without it, an AuthKit inside the process issues a
//! token to try it with.

use std::env;
use std::error::Error;

use tokio::net::TcpListener;
use workos_auth::ExposeSecret;
use workos_auth::connect::ResourceServer;
use workos_auth::id::{Issuer, ResourceUri};
use workos_auth::testing::AuthKit;

/// As it is registered in the dashboard, under Connect.
const RESOURCE: &str = "http://127.0.0.1:8000/mcp";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let resource = ResourceUri::new(RESOURCE)?;
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    println!("MCP server at {RESOURCE}");
    if let Ok(domain) = env::var("WORKOS_AUTHKIT_DOMAIN") {
        let server = ResourceServer::new(Issuer::new(domain)?, resource)?;
        axum::serve(listener, mcp_server::app(server)).await?;
    } else {
        let authkit = AuthKit::start().await?;
        let token = authkit.connect_token().audience(RESOURCE).organization("org_one").scopes("read:posts").sign()?;
        println!("For five minutes: Authorization: Bearer {}", token.expose_secret());
        let server = authkit.resource_server(resource)?;
        axum::serve(listener, mcp_server::app(server)).await?;
    }
    Ok(())
}
