//! Clients that exchange a refresh token, each as its documentation says.

use std::fmt;
use std::future::Future;
use std::hint::black_box;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{ClientId, ClientSecret, StandardRevocableToken, StandardTokenResponse, TokenUrl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use workos::user_management::AuthenticateWithRefreshTokenParams;
use workos_auth::{Client, ConfidentialClient, RefreshToken};

use crate::Outcome;
use crate::model::{API_KEY, Answer, Body, CLIENT_ID, Extra};
use crate::server::{ANSWER, PATH};

/// Requests at the same time.
const IN_FLIGHT: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Socket,
    HyperBare,
    HyperTyped,
    ReqwestBare,
    ReqwestTyped,
    OursReqwest,
    OursHyper,
    Workos,
    OAuth2,
}

impl Peer {
    pub const ALL: &[Self] = &[
        Self::Socket,
        Self::HyperBare,
        Self::HyperTyped,
        Self::OursHyper,
        Self::ReqwestBare,
        Self::ReqwestTyped,
        Self::OursReqwest,
        Self::Workos,
        Self::OAuth2,
    ];

    pub fn is_ours(self) -> bool {
        self.name().starts_with("`workos-auth`")
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Socket => "bare socket, fixed bytes",
            Self::HyperBare => "`hyper-util` pooled, untyped",
            Self::HyperTyped => "`hyper-util` pooled, typed",
            Self::ReqwestBare => "`reqwest` 0.13, untyped",
            Self::ReqwestTyped => "`reqwest` 0.13, typed",
            Self::OursReqwest => "`workos-auth` over `reqwest`",
            Self::OursHyper => "`workos-auth` over `hyper`",
            Self::Workos => "`workos` 3.5.0",
            Self::OAuth2 => "`oauth2` 5 over `reqwest` 0.12",
        }
    }

    /// Makes `calls` exchanges, [`IN_FLIGHT`] at a time.
    pub async fn run(self, pool: &Pool, calls: u64) -> Outcome {
        match pool {
            Pool::Socket(address) => socket(*address, calls).await,
            Pool::Hyper(client, uri) if self == Self::HyperBare => {
                let (client, uri, key) = (client.clone(), uri.clone(), api_key()?);
                drive(calls, move |token| {
                    let (client, uri, key) = (client.clone(), uri.clone(), key.clone());
                    async move { hyper(&client, uri, key, &token).await.map(drop) }
                })
                .await
            }
            Pool::Hyper(client, uri) => {
                let (client, uri, key) = (client.clone(), uri.clone(), api_key()?);
                drive(calls, move |token| {
                    let (client, uri, key) = (client.clone(), uri.clone(), key.clone());
                    async move { keep(serde_json::from_slice::<Answer>(&hyper(&client, uri, key, &token).await?)?) }
                })
                .await
            }
            Pool::Reqwest(client, url) => {
                let (client, url, key) = (client.clone(), url.clone(), api_key()?);
                let typed = self == Self::ReqwestTyped;
                drive(calls, move |token| {
                    let request = client.post(url.clone()).header(AUTHORIZATION, key.clone());
                    let request = request.header(ACCEPT, HeaderValue::from_static("application/json"));
                    let request = request.json(&Body::new(&token));
                    async move {
                        let response = request.send().await?.error_for_status()?;
                        if typed { keep(response.json::<Answer>().await?) } else { keep(response.bytes().await?) }
                    }
                })
                .await
            }
            Pool::Ours(client) => {
                let client = client.clone();
                drive(calls, move |token| {
                    let grant = client.authenticate_with_refresh_token(RefreshToken::new(token));
                    async move { keep(grant.send().await.map_err(workos_auth::Error::from)?) }
                })
                .await
            }
            Pool::Workos(client) => {
                let client = client.clone();
                drive(calls, move |token| {
                    let client = client.clone();
                    async move {
                        let parameters = AuthenticateWithRefreshTokenParams::new(token);
                        keep(client.user_management().authenticate_with_refresh_token(parameters).await?)
                    }
                })
                .await
            }
            Pool::OAuth2(shared) => {
                let shared = Arc::clone(shared);
                drive(calls, move |token| {
                    let shared = Arc::clone(&shared);
                    async move {
                        let (client, http) = &*shared;
                        let token = oauth2::RefreshToken::new(token);
                        keep(client.exchange_refresh_token(&token).request_async(http).await?)
                    }
                })
                .await
            }
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|peer| peer.to_string() == name).ok_or_else(|| format!("no peer {name}"))
    }
}

type OAuth2Client = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<Extra, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
>;

/// A client with its open connections.
pub enum Pool {
    Socket(SocketAddr),
    Hyper(HyperClient<HttpConnector, Full<Bytes>>, Uri),
    Reqwest(reqwest::Client, url::Url),
    Ours(ConfidentialClient),
    Workos(workos::Client),
    OAuth2(Arc<(OAuth2Client, oauth2::reqwest::Client)>),
}

impl Pool {
    pub fn new(peer: Peer, address: SocketAddr) -> Outcome<Self> {
        let base = format!("http://{address}");
        let url = format!("{base}{PATH}");
        Ok(match peer {
            Peer::Socket => Self::Socket(address),
            Peer::HyperBare | Peer::HyperTyped => {
                let mut connector = HttpConnector::new();
                connector.set_nodelay(true);
                Self::Hyper(HyperClient::builder(TokioExecutor::new()).build(connector), url.parse()?)
            }
            Peer::ReqwestBare | Peer::ReqwestTyped => {
                Self::Reqwest(reqwest::Client::builder().user_agent(AGENT).no_proxy().build()?, url.parse()?)
            }
            Peer::OursReqwest => Self::Ours(ours(&base).build()?),
            Peer::OursHyper => Self::Ours(ours(&base).build_with(workos_auth::transport::HyperTransport::new()?)?),
            Peer::Workos => {
                Self::Workos(workos::Client::builder().api_key(API_KEY).client_id(CLIENT_ID).base_url(base).build())
            }
            Peer::OAuth2 => {
                let client = oauth2::Client::new(ClientId::new(CLIENT_ID.into()))
                    .set_client_secret(ClientSecret::new(API_KEY.into()))
                    .set_auth_type(oauth2::AuthType::RequestBody)
                    .set_token_uri(TokenUrl::new(url)?);
                let http = oauth2::reqwest::Client::builder()
                    .redirect(oauth2::reqwest::redirect::Policy::none())
                    .no_proxy()
                    .build()?;
                Self::OAuth2(Arc::new((client, http)))
            }
        })
    }
}

fn ours(base: &str) -> workos_auth::ClientBuilder<workos_auth::Confidential> {
    Client::builder().client_id(CLIENT_ID).api_key(API_KEY).base_url(base)
}

const AGENT: &str = "bench/1";

/// The key as WorkOS wants it in a header; made once.
fn api_key() -> Outcome<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {API_KEY}"))?;
    value.set_sensitive(true);
    Ok(value)
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn keep<T>(answer: T) -> Result<(), Failed> {
    drop(black_box(answer));
    Ok(())
}

async fn hyper(
    client: &HyperClient<HttpConnector, Full<Bytes>>,
    uri: Uri,
    key: HeaderValue,
    token: &str,
) -> Result<Bytes, Failed> {
    let body = serde_json::to_vec(&Body::new(token))?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .header(USER_AGENT, HeaderValue::from_static(AGENT))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(AUTHORIZATION, key)
        .body(Full::new(Bytes::from(body)))?;
    let response = client.request(request).await?;
    if !response.status().is_success() {
        return Err("refused".into());
    }
    Ok(response.into_body().collect().await?.to_bytes())
}

/// Calls with a fresh token each, from as many tasks as there are requests in flight.
async fn drive<F, R>(calls: u64, call: F) -> Outcome
where
    F: Fn(String) -> R + Clone + Send + 'static,
    R: Future<Output = Result<(), Failed>> + Send,
{
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (next, call) = (Arc::clone(&next), call.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return Ok::<_, Failed>(());
                }
                call(format!("yAjhKk123NLIjdrBdGZPf8pLIDvK{number:014}")).await?;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// The least that an exchange costs: the system calls of one request and one answer.
async fn socket(address: SocketAddr, calls: u64) -> Outcome {
    let body = serde_json::to_string(&Body::new("yAjhKk123NLIjdrBdGZPf8pLIDvKabcdefghijklmn"))?;
    let request: Arc<str> = format!(
        "POST {PATH} HTTP/1.1\r\nhost: {address}\r\naccept: application/json\r\nuser-agent: {AGENT}\r\n\
         authorization: Bearer {API_KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into();
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (next, request) = (Arc::clone(&next), Arc::clone(&request));
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut buffer = vec![0; ANSWER.len()];
            while next.fetch_add(1, Ordering::Relaxed) < calls {
                stream.write_all(request.as_bytes()).await?;
                stream.read_exact(&mut buffer).await?;
                black_box(&buffer);
            }
            Ok::<_, Failed>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
