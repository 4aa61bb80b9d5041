//! The transport that uses `hyper` and `rustls`.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::legacy::{self, Client};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::buffer::ReplyBuffer;
use super::{DEFAULT_CONNECT_TIMEOUT, Transport, TransportError, tls};
use crate::environment::{self, Proxy};
use crate::error::Error;

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(90);
/// How many of these are kept.
const MOST_IDLE: usize = 256;
/// After this time without a word from the other side it is asked whether it is still there; it may be silent three times.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long sent bytes may stay without an acknowledgement.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// A [`Transport`] over `hyper` and `rustls`, lighter than `reqwest`.
///
/// [`ClientBuilder::build`](crate::ClientBuilder::build) takes it by itself where the feature `reqwest` is off. Where it is on, or with
/// settings of its own, it is given to [`build_with`](crate::ClientBuilder::build_with):
///
/// ```
/// # fn run(pem: &[u8]) -> Result<(), workos_auth::Error> {
/// use workos_auth::Client;
/// use workos_auth::transport::HyperTransport;
///
/// let transport = HyperTransport::builder().root_certificates_pem(pem).proxy_from_env().build()?;
/// let client = Client::builder().client_id("client_123").build_with(transport)?;
/// # Ok(()) }
/// ```
///
/// It keeps idle connections for 90 s, speaks TLS 1.2 and 1.3, and with the feature `http2` also HTTP/2. The operating system decides
/// which certificate authorities are trusted. It never uses a proxy for hosts on loopback.
pub struct HyperTransport(Client<Connector, Full<Bytes>>);

impl HyperTransport {
    /// A transport with a connect timeout of 10 s and without a proxy.
    ///
    /// # Errors
    /// As [`HyperTransportBuilder::build`].
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A transport with settings of its own.
    pub fn builder() -> HyperTransportBuilder {
        HyperTransportBuilder {
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            roots: Ok(Vec::new()),
            trusts_system: true,
            proxy: Ok(None),
        }
    }
}

impl fmt::Debug for HyperTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HyperTransport").finish_non_exhaustive()
    }
}

/// The settings of a [`HyperTransport`]. Only [`build`](Self::build) fails.
#[must_use = "a builder does nothing until `build()`"]
pub struct HyperTransportBuilder {
    connect_timeout: Duration,
    roots: Result<Vec<CertificateDer<'static>>, Error>,
    trusts_system: bool,
    proxy: Result<Option<Proxy>, Error>,
}

impl HyperTransportBuilder {
    /// How long making a connection may take, with the handshakes of TLS and of a proxy; 10 s unless given.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Trusts these certificate authorities, too: one or more certificates in PEM.
    pub fn root_certificates_pem(self, pem: &[u8]) -> Self {
        let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match roots {
            Ok(roots) if !roots.is_empty() => roots.into_iter().fold(self, Self::trusting),
            _ => Self { roots: self.roots.and(Err(invalid_root())), ..self },
        }
    }

    /// Trusts this certificate authority, too: one certificate in DER.
    pub fn root_certificate_der(self, der: &[u8]) -> Self {
        self.trusting(CertificateDer::from(der.to_vec()))
    }

    /// Trusts only the authorities that are given here, and not those of the operating system.
    pub fn without_system_authorities(mut self) -> Self {
        self.trusts_system = false;
        self
    }

    /// Uses the proxy of the environment, as [`ClientBuilder::proxy_from_env`](crate::ClientBuilder::proxy_from_env) does.
    pub fn proxy_from_env(self) -> Self {
        self.proxy(environment::proxy())
    }

    pub(crate) fn proxy(mut self, proxy: Result<Option<Proxy>, Error>) -> Self {
        self.proxy = proxy;
        self
    }

    fn trusting(mut self, root: CertificateDer<'static>) -> Self {
        if let Ok(roots) = &mut self.roots {
            match RootCertStore::empty().add(root.clone()) {
                Ok(()) => roots.push(root),
                Err(_) => self.roots = Err(invalid_root()),
            }
        }
        self
    }

    /// Builds the transport.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `connect_timeout`, `root_certificate` or the variable of the
    /// proxy, [`ErrorKind::NoAuthorities`](crate::ErrorKind::NoAuthorities), or
    /// [`ErrorKind::HttpClient`](crate::ErrorKind::HttpClient).
    pub fn build(self) -> Result<HyperTransport, Error> {
        if self.connect_timeout.is_zero() {
            return Err(Error::invalid_value("connect_timeout", "must not be zero"));
        }
        let dialer = Arc::new(Dialer {
            tcp: tcp(self.connect_timeout),
            tls: TlsSettings::trusting(self.roots?, self.trusts_system)?,
            proxy: self.proxy?.map(matcher).transpose()?,
            timeout: self.connect_timeout,
        });
        let connector = Connector { dialer, to: Hop::Api };
        let mut client = Client::builder(TokioExecutor::new());
        client
            // A request whose connection was closed before is sent again by the table of retries, or not at all.
            .retry_canceled_requests(false)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MOST_IDLE);
        #[cfg(feature = "http2")]
        client.timer(TokioTimer::new()).http2_keep_alive_interval(super::PING).http2_keep_alive_timeout(super::PING);
        Ok(HyperTransport(client.build(connector)))
    }
}

impl fmt::Debug for HyperTransportBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connect_timeout, .. } = self;
        formatter
            .debug_struct("HyperTransportBuilder")
            .field("connect_timeout", connect_timeout)
            .finish_non_exhaustive()
    }
}

fn invalid_root() -> Error {
    Error::invalid_value("root_certificate", "isn't a certificate")
}

fn tcp(timeout: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE));
    tcp.set_keepalive_retries(Some(3));
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    // It gives each address of a host its part of this time.
    tcp.set_connect_timeout(Some(timeout));
    tcp
}

/// Which hosts are reached through the proxy.
fn matcher(proxy: Proxy) -> Result<Matcher, Error> {
    let matcher = || Matcher::builder().https(proxy.address.as_str());
    // An address that it can't read would mean no proxy.
    let read = matcher().build().intercept(&Uri::from_static("https://api.workos.com/"));
    read.ok_or_else(|| proxy.refused())?;
    Ok(matcher().no(proxy.direct.as_str()).build())
}

impl Transport for HyperTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (head, mut body) = self.0.request(request.map(Full::new)).await.map_err(failed)?.into_parts();
        let mut reply = ReplyBuffer::announced(body.size_hint().exact())?;
        while let Some(frame) = body.frame().await {
            if let Ok(chunk) = frame.map_err(TransportError::interrupted)?.into_data() {
                reply.push(&chunk)?;
            }
        }
        Ok(Response::from_parts(head, reply.into_bytes()))
    }
}

/// Nothing was sent only if there was no connection, or if `hyper` gives the request back: its connection was closed while it waited.
fn failed(error: legacy::Error) -> TransportError {
    let unsent = error.source().and_then(|source| source.downcast_ref()).is_some_and(hyper::Error::is_canceled);
    if error.is_connect() {
        tls::not_connected(error)
    } else if unsent {
        TransportError::not_sent(error)
    } else {
        TransportError::interrupted(error)
    }
}

type BoxError = Box<dyn StdError + Send + Sync>;
type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, BoxError>> + Send>>;

/// Makes connections: the pool clones it for each request, and a tunnel has one to its proxy.
#[derive(Clone)]
struct Connector {
    dialer: Arc<Dialer>,
    to: Hop,
}

/// The other end of a connection.
#[derive(Clone, Copy)]
enum Hop {
    Api,
    Proxy,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let Self { dialer, to } = self.clone();
        Box::pin(async move {
            match to {
                Hop::Api => tokio::time::timeout(dialer.timeout, dialer.connect(&uri)).await?,
                Hop::Proxy => secured(&dialer.tls.proxy, &uri, dialer.dial(&uri).await?).await,
            }
        })
    }
}

struct Dialer {
    tcp: HttpConnector,
    tls: TlsSettings,
    proxy: Option<Matcher>,
    timeout: Duration,
}

impl Dialer {
    async fn connect(self: &Arc<Self>, uri: &Uri) -> Result<TokioIo<Stream>, BoxError> {
        let stream = match self.proxy_for(uri) {
            None => self.dial(uri).await?,
            Some(proxy) => {
                let mut tunnel =
                    Tunnel::new(proxy.uri().clone(), Connector { dialer: Arc::clone(self), to: Hop::Proxy });
                if let Some(authorization) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                tunnel.call(uri.clone()).await?.into_inner()
            }
        };
        secured(&self.tls.server, uri, stream).await
    }

    async fn dial(&self, uri: &Uri) -> Result<Stream, BoxError> {
        Ok(Stream::Plain(self.tcp.clone().call(uri.clone()).await?.into_inner()))
    }

    fn proxy_for(&self, uri: &Uri) -> Option<Intercept> {
        let proxy = self.proxy.as_ref().filter(|_| !is_loopback(uri))?;
        proxy.intercept(uri)
    }
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS)
}

fn is_loopback(uri: &Uri) -> bool {
    let host = host(uri);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The host, an IPv6 address without its brackets.
fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_matches(['[', ']'])
}

/// How to speak TLS with the API and with a proxy.
struct TlsSettings {
    server: TlsConnector,
    proxy: TlsConnector,
}

impl TlsSettings {
    fn trusting(roots: Vec<CertificateDer<'static>>, trusts_system: bool) -> Result<Self, Error> {
        // Never the default of the process, which may be missing or another one.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = verifier(roots, trusts_system, Arc::clone(&provider))?;
        let mut server = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::http_client)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let proxy = server.clone();
        if cfg!(feature = "http2") {
            server.alpn_protocols.insert(0, HTTP_2.to_vec());
        }
        Ok(Self { server: Arc::new(server).into(), proxy: Arc::new(proxy).into() })
    }
}

/// The connection, inside TLS where the URL says so.
async fn secured(tls: &TlsConnector, uri: &Uri, stream: Stream) -> Result<TokioIo<Stream>, BoxError> {
    if !is_https(uri) {
        return Ok(TokioIo::new(stream));
    }
    let name = ServerName::try_from(host(uri).to_owned())?;
    Ok(TokioIo::new(Stream::Tls(Box::new(tls.connect(name, stream).await?))))
}

fn verifier(
    roots: Vec<CertificateDer<'static>>,
    trusts_system: bool,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    if !trusts_system {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        return verifier.map(|verifier| verifier as _).map_err(Error::no_authorities);
    }
    let verifier = if roots.is_empty() {
        Verifier::new(provider)
    } else {
        #[cfg(any(all(unix, not(target_os = "android")), windows))]
        {
            Verifier::new_with_extra_roots(roots, provider)
        }
        #[cfg(not(any(all(unix, not(target_os = "android")), windows)))]
        return Err(Error::invalid_value("root_certificate", "can't be trusted beside the system's on this platform"));
    };
    verifier.map(|verifier| Arc::new(verifier) as _).map_err(|error| match error {
        // It fails in this way when it has found no authorities.
        rustls::Error::General(_) => Error::no_authorities(error),
        _ => Error::http_client(error),
    })
}

const HTTP_2: &[u8] = b"h2";

/// A connection. Inside the TLS of a server there may be the one of a proxy.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<Stream>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) => Connected::new().negotiated_h2(),
            _ => Connected::new(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
