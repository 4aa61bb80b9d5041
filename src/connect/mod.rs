//! WorkOS Connect: the access tokens of OAuth applications, of MCP clients and of machines.
//!
//! An application that is called by others is a *resource server*: an API, or an MCP server. Whoever calls it brings an access token that
//! the AuthKit domain has issued.
//!
//! | type | what it is |
//! | --- | --- |
//! | [`ResourceServer`] | verifies such tokens, and tells clients where to get one |
//! | [`ResourceToken`] | a good token: its [`Subject`], organization and [`Scopes`] |
//! | [`Scope`], [`Scoped<S>`](Scoped) | a scope as a type, and a token that has it |
//! | [`MachineClient`], [`MachineToken`] | the other side: a program that calls others, and its token |
//! | [`NotAuthorized`], [`Refusal`] | why a request isn't let in, with the response that says so |
//! | [`NotAccepted`], [`MissingScope`] | why a token isn't accepted, and the scope that it lacks |
//!
//! ```
//! use http::HeaderMap;
//! use workos_auth::connect::{NotAuthorized, ResourceServer};
//!
//! async fn posts(server: &ResourceServer, headers: &HeaderMap) -> Result<String, NotAuthorized> {
//!     let token = server.admit(headers).await?;
//!     token.scope("read:posts")?;
//!     Ok(format!("the posts of {:?}", token.organization_id()))
//! }
//!
//! # use workos_auth::{ExposeSecret, id::ResourceUri, testing::AuthKit};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // An application writes `ResourceServer::new(issuer, resource)?`.
//! let authkit = AuthKit::start().await?;
//! let server = authkit.resource_server(ResourceUri::new("https://api.example.com")?)?;
//! let token = authkit.connect_token().audience("https://api.example.com").scopes("read:posts").sign()?;
//! let mut headers = HeaderMap::new();
//! assert_eq!(posts(&server, &headers).await.unwrap_err().response().status(), 401);
//!
//! headers.insert("authorization", format!("Bearer {}", token.expose_secret()).parse()?);
//! assert_eq!(posts(&server, &headers).await?, "the posts of None");
//! # Ok(()) }
//! ```

mod challenge;
mod machine;
mod metadata;
mod resource_server;
mod scopes;
mod token;

pub use challenge::{NotAccepted, NotAuthorized, Refusal};
pub use machine::{MachineClient, MachineToken};
pub use resource_server::ResourceServer;
pub use scopes::{MissingScope, Scope, Scoped, Scopes};
pub use token::{ResourceToken, Subject};
