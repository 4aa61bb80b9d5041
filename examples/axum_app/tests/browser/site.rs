//! The application behind https, its AuthKit, and the sites of others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::middleware::map_response;
use axum::response::{Html, Response};
use axum_app::demo;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use workos_auth::parking::Parking;
use workos_auth::session::{CookieSessions, MemorySessionStore};
use workos_auth::testing::{AuthKit, Endpoint, ManualClock};
use workos_auth::typestate::SessionLayer;
use workos_auth::{CookiePassword, LoginHandlers, RedirectUri, SessionCookie, SessionManager};

use crate::Outcome;

pub(crate) const AUTHENTICATE: Endpoint = Endpoint::Authenticate;
/// The application's host.
pub(crate) const HOST: &str = "app.lighthouse.test";
/// A host of the same site, in other hands.
pub(crate) const SIBLING: &str = "blog.lighthouse.test";
/// A host of another site.
pub(crate) const STRANGER: &str = "stranger.test";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sessions {
    Store,
    Cookies,
}

/// What another application could do differently.
#[derive(Clone, Copy, Default)]
pub(crate) struct Changes {
    pub(crate) accepts_impersonation: bool,
    /// It lets browsers store its pages.
    pub(crate) is_stored: bool,
}

impl Changes {
    fn app<L: SessionLayer>(self, handlers: LoginHandlers<L>, pages: axum_app::Site) -> Router {
        let handlers = if self.accepts_impersonation { handlers.accept_impersonation() } else { handlers };
        let app = axum_app::app(handlers, pages);
        if self.is_stored { app.layer(map_response(may_be_stored)) } else { app }
    }
}

async fn may_be_stored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=600"));
    response
}

pub(crate) struct Site {
    pub(crate) authkit: AuthKit,
    pub(crate) sessions: Sessions,
    origin: String,
    tls: Tls,
    tasks: JoinSet<()>,
}

impl Site {
    pub(crate) async fn start(sessions: Sessions) -> Outcome<Self> {
        Self::with(sessions, Changes::default()).await
    }

    pub(crate) async fn with(sessions: Sessions, changes: Changes) -> Outcome<Self> {
        let tls = Tls::new()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("https://{HOST}:{}", listener.local_addr()?.port());
        let redirect_uri = RedirectUri::new(format!("{origin}/callback"))?;
        // Time stands still unless it is moved, so that waits between retries take none.
        let clock = ManualClock::new(SystemTime::now());
        let authkit = demo::authkit().clock(clock).redirect_uri(redirect_uri.as_str()).start().await?;
        let client = authkit.confidential_client();
        let parking = Parking::new(CookiePassword::generate()?);
        let pages = axum_app::Site { client: client.clone(), workos: authkit.base_url().to_owned(), for_trying: true };
        let app = match sessions {
            Sessions::Store => {
                let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
                changes.app(LoginHandlers::new(client, sessions, parking, redirect_uri), pages)
            }
            Sessions::Cookies => {
                let sessions = CookieSessions::new(client.clone(), SessionCookie::new(CookiePassword::generate()?)?);
                changes.app(LoginHandlers::new(client, sessions, parking, redirect_uri), pages)
            }
        };
        let mut site = Self { authkit, sessions, origin, tls, tasks: JoinSet::new() };
        site.serve(listener, app).await?;
        Ok(site)
    }

    /// A page of somebody else, at `/`; gives its origin.
    pub(crate) async fn other(&mut self, host: &str, page: &str) -> Outcome<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("https://{host}:{}", listener.local_addr()?.port());
        let page = format!("<!doctype html><html lang=en><meta charset=utf-8><title>Another site</title><body>{page}");
        let app = Router::new().fallback(async move || Html(page));
        self.serve(listener, app).await?;
        Ok(origin)
    }

    /// Serves an application behind a proxy that ends TLS.
    async fn serve(&mut self, public: TcpListener, app: Router) -> Outcome {
        let inner = TcpListener::bind("127.0.0.1:0").await?;
        self.tasks.spawn(proxy(public, self.tls.acceptor.clone(), inner.local_addr()?));
        self.tasks.spawn(async move { drop(axum::serve(inner, app).await) });
        Ok(())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(crate) fn session_cookie(&self) -> &'static str {
        match self.sessions {
            Sessions::Store => "__Host-workos-session",
            Sessions::Cookies => "__Host-wos-session",
        }
    }

    pub(crate) fn certificate_hash(&self) -> &str {
        &self.tls.hash
    }

    /// How many logins and refreshes AuthKit was asked for.
    pub(crate) fn token_requests(&self) -> usize {
        self.authkit.requests_to(AUTHENTICATE)
    }

    /// Lets every access token expire.
    pub(crate) fn let_tokens_expire(&self) {
        self.authkit.advance(Duration::from_secs(301));
    }
}

struct Tls {
    acceptor: TlsAcceptor,
    /// The SHA-256 of the key, by which Chromium accepts the certificate.
    hash: String,
}

impl Tls {
    fn new() -> Outcome<Self> {
        let key = KeyPair::generate()?;
        let hosts = [HOST, SIBLING, STRANGER].map(str::to_owned);
        let certificate = CertificateParams::new(hosts)?.self_signed(&key)?;
        let hash = STANDARD.encode(digest(&SHA256, &key.subject_public_key_info()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), hash })
    }
}

async fn proxy(public: TcpListener, acceptor: TlsAcceptor, inner: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = public.accept().await else { continue };
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            let Ok(mut outside) = acceptor.accept(stream).await else { return };
            let Ok(mut inside) = TcpStream::connect(inner).await else { return };
            // Browsers close connections as they like.
            drop(tokio::io::copy_bidirectional(&mut outside, &mut inside).await);
        });
        while connections.try_join_next().is_some() {}
    }
}
