//! The SDK's own client, with a token, without one, and with one for something else.

use std::error::Error;

use rmcp::model::CallToolRequestParams;
use rmcp::service::{ClientInitializeError, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt};
use tokio::net::TcpListener;
use workos_auth::ExposeSecret;
use workos_auth::id::ResourceUri;
use workos_auth::secret::BearerToken;
use workos_auth::testing::{AuthKit, Endpoint, Fault};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A running server, and its URL without the path.
struct Running {
    authkit: AuthKit,
    origin: String,
}

impl Running {
    async fn start() -> Outcome<Self> {
        let authkit = AuthKit::start().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let server = authkit.resource_server(ResourceUri::new(format!("{origin}/mcp"))?)?;
        tokio::spawn(async { axum::serve(listener, mcp_server::app(server)).await });
        Ok(Self { authkit, origin })
    }

    fn resource(&self) -> String {
        format!("{}/mcp", self.origin)
    }

    async fn connect(
        &self,
        token: Option<&BearerToken>,
    ) -> Result<RunningService<RoleClient, ()>, ClientInitializeError> {
        let mut config = StreamableHttpClientTransportConfig::with_uri(self.resource());
        if let Some(token) = token {
            config = config.auth_header(token.expose_secret());
        }
        ().serve(StreamableHttpClientTransport::from_config(config)).await
    }

    /// What the client is told that isn't let in.
    async fn challenge(&self, token: Option<&BearerToken>) -> Outcome<String> {
        let error = self.connect(token).await.map(drop).unwrap_err();
        Ok(error.auth_challenge().ok_or(error.to_string())?.to_owned())
    }
}

#[tokio::test]
async fn a_client_with_a_token_calls_a_tool() -> Outcome {
    let running = Running::start().await?;
    let token = running.authkit.connect_token().audience(running.resource()).user("user_ada").scopes("read:posts");
    let token = token.organization("org_one").sign()?;
    let client = running.connect(Some(&token)).await?;
    let tools = client.list_all_tools().await?;
    assert_eq!(tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["count_posts"]);
    let answer = client.call_tool(CallToolRequestParams::new("count_posts")).await?;
    let text = answer.content.first().and_then(|content| content.as_text()).ok_or("no text")?;
    assert_eq!(text.text, "User(UserId(user_ada)) sees 2 posts of org_one");
    client.cancel().await?;
    Ok(())
}

#[tokio::test]
async fn a_client_without_a_token_learns_where_to_get_one() -> Outcome {
    let running = Running::start().await?;
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", running.origin);
    assert_eq!(running.challenge(None).await?, format!("Bearer resource_metadata=\"{metadata}\""));
    let document: serde_json::Value = serde_json::from_str(&reqwest::get(metadata).await?.text().await?)?;
    assert_eq!(document["resource"], running.resource());
    assert_eq!(document["authorization_servers"], serde_json::json!([running.authkit.issuer().as_str()]));
    Ok(())
}

#[tokio::test]
async fn a_token_for_something_else_is_not_enough() -> Outcome {
    let running = Running::start().await?;
    let metadata = format!("resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"", running.origin);
    let token = || running.authkit.connect_token().scopes("read:posts");
    let invalid = format!("Bearer error=\"invalid_token\", {metadata}");
    let scope = format!("Bearer error=\"insufficient_scope\", scope=\"read:posts\", {metadata}");
    for (what, token, expected) in [
        // First: soon after the keys were fetched, nobody can tell whether a new one is published.
        ("another key", token().audience(running.resource()).unpublished_key(), &invalid),
        ("another server", token().audience("https://other.example.com/mcp"), &invalid),
        ("no server", token(), &invalid),
        ("another scope", token().audience(running.resource()).scopes("openid"), &scope),
    ] {
        assert_eq!(&running.challenge(Some(&token.sign()?)).await?, expected, "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn in_an_outage_no_client_is_told_to_sign_in_again() -> Outcome {
    let running = Running::start().await?;
    running.authkit.inject(Endpoint::All, Fault::Status(503, Some(0)), usize::MAX);
    let token = running.authkit.connect_token().audience(running.resource()).scopes("read:posts").sign()?;
    let error = running.connect(Some(&token)).await.map(drop).unwrap_err();
    assert_eq!((error.auth_challenge(), error.is_authorization_required()), (None, false), "{error}");

    running.authkit.heal();
    running.authkit.advance(std::time::Duration::from_secs(6));
    assert!(running.connect(Some(&token)).await.is_ok());
    Ok(())
}

/// The ID of a session of MCP says nothing about who calls: each request is that of its own token.
#[tokio::test]
async fn the_session_of_another_client_gives_nobody_its_rights() -> Outcome {
    let running = Running::start().await?;
    let token = |user, scopes| {
        let token = running.authkit.connect_token().audience(running.resource()).user(user).scopes(scopes);
        token.organization(format!("org_of_{user}")).sign()
    };
    let (ada, eve, reader) =
        (token("user_ada", "read:posts")?, token("user_eve", "read:posts")?, token("user_eve", "openid")?);
    let http = reqwest::Client::new();
    let post = async |token: &BearerToken, session: Option<&str>, body: serde_json::Value| {
        let request = http.post(running.resource()).bearer_auth(token.expose_secret()).body(body.to_string());
        let request = request.header("content-type", "application/json");
        let request = request.header("accept", "application/json, text/event-stream");
        session.into_iter().fold(request, |request, id| request.header("mcp-session-id", id)).send().await
    };
    let initialize = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }});
    let opened = post(&ada, None, initialize).await?;
    let session = opened.headers()["mcp-session-id"].to_str()?.to_owned();
    let initialized = serde_json::json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert!(post(&ada, Some(&session), initialized).await?.status().is_success());
    let call =
        serde_json::json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "count_posts"}});
    for (token, sees) in
        [(&ada, "user_ada)) sees 2 posts of org_of_user_ada"), (&eve, "user_eve)) sees 2 posts of org_of_user_eve")]
    {
        let text = post(token, Some(&session), call.clone()).await?.text().await?;
        assert!(text.contains(sees), "{text}");
    }
    assert_eq!(post(&reader, Some(&session), call).await?.status(), 403);
    Ok(())
}
