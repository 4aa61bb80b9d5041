//! What sends the requests.
//!
//! With the feature `reqwest` or `hyper` there is nothing to do: [`ClientBuilder::build`](crate::ClientBuilder::build) brings an HTTP
//! client. `reqwest` has more settings, and `hyper` is lighter. Both speak HTTP/1.1, and with the feature `http2` also HTTP/2.
//! Without them, an application gives its own [`Transport`] to [`build_with`](crate::ClientBuilder::build_with): one function that makes
//! one attempt. Limits, timeouts, retries and tracing are around it.
//!
//! | type | what it is |
//! | --- | --- |
//! | [`Transport`] | makes one attempt; closures are transports, too |
//! | [`TransportError`], [`TransportErrorKind`] | why there was no reply, and whether anything was sent |
//! | [`RESPONSE_LIMIT`] | the largest reply that is read |
#![cfg_attr(
    feature = "hyper",
    doc = "| [`HyperTransport`] | the one of the feature `hyper`, with settings of its own |"
)]

#[cfg(any(feature = "hyper", feature = "reqwest"))]
mod buffer;
mod decode;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;
mod retry;
mod shared;
#[cfg(any(feature = "hyper", feature = "redis-tls", feature = "reqwest"))]
pub(crate) mod tls;

use std::error::Error as StdError;
use std::future::Future;
use std::iter;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use tracing::Instrument;
use tracing::field::Empty;

#[cfg(feature = "api")]
pub(crate) use decode::{accept, read_or_null};
pub(crate) use decode::{parse, read, success_or_refusal};
#[cfg(feature = "hyper")]
pub use hyper::{HyperTransport, HyperTransportBuilder};
pub(crate) use retry::{DEFAULT_RETRIES, RequestKind, is_refusal};
pub(crate) use shared::Shared;

use crate::error::{Error, ErrorKind};
use crate::id::{BaseUrl, Segment};
use crate::rejected::Rejected;
use crate::runtime::{Moment, Runtime};
use crate::wiped::WipedBytes;
use retry::{Progress, Verdict, backoff, retry_after};

/// How long making a connection may take, unless the application sets another time.
pub(crate) const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection of HTTP/2 on which nothing comes for this time is asked whether the other side is still there, and closed if it says
/// nothing for as long again: requests share it, so that one that is given up doesn't close it.
#[cfg(all(feature = "http2", any(feature = "hyper", feature = "reqwest")))]
const PING: Duration = Duration::from_secs(5);

/// The largest reply that is read: 1 MiB.
pub const RESPONSE_LIMIT: usize = 1 << 20;

/// Sends a request and returns its reply: an HTTP client that the application chooses.
///
/// The crate decides what is sent, how often and for how long; a transport makes exactly one attempt. It MUST NOT follow
/// redirects, MUST NOT retry a request, and should stop reading after [`RESPONSE_LIMIT`] bytes with
/// [`TransportError::too_large`]. The future of an attempt that takes too long is dropped.
///
/// Closures are transports:
///
/// ```
/// use bytes::Bytes;
/// use workos_auth::transport::TransportError;
/// use workos_auth::Client;
///
/// let client = Client::builder()
///     .client_id("client_123")
///     .build_with(|request: http::Request<Bytes>| async move {
///         assert_eq!(request.uri().host(), Some("api.workos.com"));
///         Ok::<_, TransportError>(http::Response::new(Bytes::from_static(b"{}")))
///     })?;
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Makes one attempt.
    ///
    /// # Errors
    /// A [`TransportError`] that says whether anything was sent, on which it depends what may be retried.
    fn send(&self, request: Request<Bytes>) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send;
}

impl<F, R> Transport for F
where
    F: Fn(Request<Bytes>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Response<Bytes>, TransportError>> + Send,
{
    fn send(&self, request: Request<Bytes>) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send {
        self(request)
    }
}

/// Why an attempt got no reply.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The cause of a [`TransportError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection was made, so nothing of the request was sent.
    #[error("no connection could be made")]
    NotSent,
    /// The server's certificate was refused, so nothing of the request was sent.
    #[error("the server's certificate was refused")]
    Certificate,
    /// The TLS handshake failed, so nothing of the request was sent.
    #[error("no TLS connection could be agreed on")]
    Tls,
    /// There was no complete reply in time; the request may have arrived.
    #[error("there was no complete reply in time")]
    Timeout,
    /// The connection was lost; the request may have arrived.
    #[error("the connection was lost")]
    Interrupted,
    /// The reply was larger than [`RESPONSE_LIMIT`].
    #[error("the reply was too large")]
    TooLarge,
}

impl TransportError {
    /// No connection was made. Use it only if nothing of the request can have been sent.
    pub fn not_sent(source: impl StdError + Send + Sync + 'static) -> Self {
        Self { kind: TransportErrorKind::NotSent, source: Some(Box::new(source)) }
    }

    /// The server's certificate was refused: it is for another name, isn't valid at this time, or comes from an authority that
    /// isn't trusted. It isn't retried, because another attempt would fail too. Use it only if nothing of the request can have been
    /// sent.
    pub fn certificate(source: impl StdError + Send + Sync + 'static) -> Self {
        Self { kind: TransportErrorKind::Certificate, source: Some(Box::new(source)) }
    }

    /// The TLS handshake failed for a reason other than the certificate: there is no common version, or the server doesn't speak
    /// TLS. It isn't retried, because another attempt would fail too. Use it only if nothing of the request can have been sent.
    pub fn tls(source: impl StdError + Send + Sync + 'static) -> Self {
        Self { kind: TransportErrorKind::Tls, source: Some(Box::new(source)) }
    }

    /// The connection was lost before the reply was complete. The source must not contain secrets or a URL with a query.
    pub fn interrupted(source: impl StdError + Send + Sync + 'static) -> Self {
        Self { kind: TransportErrorKind::Interrupted, source: Some(Box::new(source)) }
    }

    /// There was no complete reply in time.
    #[must_use]
    pub fn timeout() -> Self {
        Self { kind: TransportErrorKind::Timeout, source: None }
    }

    /// The reply was larger than [`RESPONSE_LIMIT`].
    #[must_use]
    pub fn too_large() -> Self {
        Self { kind: TransportErrorKind::TooLarge, source: None }
    }

    /// The cause.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'a>>;

/// [`Transport`] as an object, so that the type of a client doesn't name it.
trait ErasedTransport: Send + Sync {
    fn send_boxed(&self, request: Request<Bytes>) -> Sending<'_>;
}

impl<T: Transport> ErasedTransport for T {
    fn send_boxed(&self, request: Request<Bytes>) -> Sending<'_> {
        Box::pin(self.send(request))
    }
}

/// What the clones of a client share.
pub(crate) struct Core {
    pub(crate) base_url: BaseUrl,
    pub(crate) runtime: Runtime,
    /// Values that higher modules keep for a client and its clones.
    pub(crate) shared: Shared,
    transport: Arc<dyn ErasedTransport>,
    user_agent: HeaderValue,
    timeout: Duration,
    retries: u32,
}

/// Where a request goes.
#[derive(Clone)]
pub(crate) struct Route {
    /// The form of the path that is traced; the path itself never is.
    pub(crate) template: &'static str,
    /// It may contain a secret, and is wiped then.
    pub(crate) path: PathAndQuery,
}

impl From<&'static str> for Route {
    fn from(path: &'static str) -> Self {
        Self { template: path, path: PathAndQuery::from_static(path) }
    }
}

impl Route {
    /// A template with a value in the place of its `{…}`.
    pub(crate) fn of(template: &'static str, value: impl Segment) -> Result<Self, Error> {
        let (before, rest) = template.split_once('{').unwrap_or((template, ""));
        let after = rest.split_once('}').map_or("", |(_, after)| after);
        let value = value.segment()?;
        Self::joined(template, iter::once(before).chain(value).chain(iter::once(after)))
    }

    /// The parts of a path, one after the other.
    pub(crate) fn joined<'a>(
        template: &'static str,
        parts: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
    ) -> Result<Self, Error> {
        let path = PathAndQuery::from_maybe_shared(WipedBytes::joined(parts).into_bytes());
        Ok(Self { template, path: path.map_err(|_| Error::invalid_value("path", "isn't a path of a URL"))? })
    }
}

/// One request, of which several attempts may be made.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) route: Route,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) body: Body,
    pub(crate) kind: RequestKind,
}

/// The body of a request.
#[derive(Clone)]
pub(crate) enum Body {
    None,
    Json(Bytes),
    /// `application/x-www-form-urlencoded`
    Form(Bytes),
}

impl Body {
    fn parts(&self) -> (Bytes, Option<HeaderValue>) {
        match self {
            Self::None => (Bytes::new(), None),
            Self::Json(bytes) => (bytes.clone(), Some(HeaderValue::from_static("application/json"))),
            Self::Form(bytes) => (bytes.clone(), Some(HeaderValue::from_static("application/x-www-form-urlencoded"))),
        }
    }
}

/// A complete reply of any status.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// Only visible characters.
    pub(crate) request_id: Option<HeaderValue>,
    pub(crate) body: Bytes,
    /// When the attempt began that it answers: what it says may be as old as that.
    #[cfg(feature = "server")]
    pub(crate) asked: Moment,
    kind: RequestKind,
    retry_after: Option<Duration>,
    replay_before: Option<Timestamp>,
}

impl Reply {
    /// The failure that this reply reports.
    pub(crate) fn failure(self, kind: ErrorKind) -> Failure {
        let unused = self.status == StatusCode::TOO_MANY_REQUESTS;
        let request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok()).map(str::to_owned);
        let error = Error::reply(kind, self.status, request_id).advise(self.retry_after, self.replay_before);
        Failure { returns: self.kind.returns(unused, &error), error }
    }
}

/// Why a request got no usable reply.
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Whether the value that was sent may be used again.
    returns: bool,
}

impl Failure {
    /// The failure of a request that could not be written.
    pub(crate) fn unsent(error: Error) -> Self {
        Self { error, returns: true }
    }

    /// The failure that a successful reply reports.
    pub(crate) fn answered(error: Error) -> Self {
        Self { error, returns: false }
    }

    /// Returns the value of the call if it may be used again.
    pub(crate) fn rejecting<F>(self, flow: F) -> Rejected<F> {
        Rejected::new(self.error, self.returns.then_some(flow))
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        let kind = match error.kind {
            TransportErrorKind::NotSent => ErrorKind::NotSent,
            TransportErrorKind::Certificate => ErrorKind::Certificate,
            TransportErrorKind::Tls => ErrorKind::Tls,
            TransportErrorKind::Timeout => ErrorKind::Timeout,
            TransportErrorKind::Interrupted => ErrorKind::Interrupted,
            TransportErrorKind::TooLarge => ErrorKind::TooLarge,
        };
        Self::with_source(kind, error.source)
    }
}

impl Core {
    pub(crate) fn new(
        base_url: BaseUrl,
        transport: impl Transport,
        user_agent: HeaderValue,
        timeout: Duration,
        retries: u32,
        runtime: Runtime,
    ) -> Self {
        Self {
            base_url,
            runtime,
            shared: Shared::default(),
            transport: Arc::new(transport),
            user_agent,
            timeout,
            retries,
        }
    }

    /// With the same settings and connections, and nothing that higher modules keep.
    #[cfg(feature = "testing")]
    pub(crate) fn separate(&self) -> Self {
        Self {
            base_url: self.base_url.clone(),
            runtime: self.runtime.clone(),
            shared: Shared::default(),
            transport: Arc::clone(&self.transport),
            user_agent: self.user_agent.clone(),
            timeout: self.timeout,
            retries: self.retries,
        }
    }

    /// Sends a request as often as its row of the retry table allows, and returns the last complete reply.
    pub(crate) async fn send(&self, call: Call) -> Result<Reply, Failure> {
        self.send_while(call, || true).await
    }

    /// The same, where each attempt but the first must be allowed by the caller, too.
    pub(crate) async fn send_while(&self, call: Call, may_repeat: impl Fn() -> bool) -> Result<Reply, Failure> {
        let rule = call.kind.rule();
        let clock = &self.runtime.clock;
        let first_sent = clock.elapsed();
        // The first and the last time at which the API may have used up the credential.
        let mut ambiguous_since: Option<Duration> = None;
        let mut maybe_done: Option<Timestamp> = None;
        let mut attempt = 0;
        loop {
            let asked = Moment::now(&**clock);
            let outcome = self.attempt(&call, attempt).await;
            let verdict = Verdict::of(&outcome);
            if matches!(verdict, Verdict::Ambiguous | Verdict::Answered) {
                ambiguous_since.get_or_insert(asked.elapsed);
                maybe_done = Some(asked.time);
            }
            let advised = match &outcome {
                Ok(reply) => retry_after(reply.headers(), || clock.now()),
                Err(_) => None,
            };
            let now = clock.elapsed();
            let progress = Progress {
                attempt,
                elapsed: now.saturating_sub(first_sent),
                ambiguous: ambiguous_since.map(|since| now.saturating_sub(since)),
            };
            let wait = || backoff(attempt, advised, self.runtime.random.as_ref());
            if let Some(wait) = rule.next(verdict, &progress, self.retries, wait) {
                clock.sleep(wait).await;
                if may_repeat() {
                    attempt += 1;
                    continue;
                }
            }
            let replay_before = maybe_done.and_then(|then| call.kind.replay_before(then));
            return match outcome {
                Ok(response) => Ok(Reply {
                    status: response.status(),
                    request_id: request_id(response.headers()).cloned(),
                    retry_after: advised,
                    replay_before,
                    body: response.into_body(),
                    #[cfg(feature = "server")]
                    asked,
                    kind: call.kind,
                }),
                Err(error) => {
                    let unused = ambiguous_since.is_none() && matches!(verdict, Verdict::NotSent | Verdict::Insecure);
                    let error = Error::from(error).advise(None, replay_before);
                    Err(Failure { returns: call.kind.returns(unused, &error), error })
                }
            };
        }
    }

    async fn attempt(&self, call: &Call, attempt: u32) -> Result<Response<Bytes>, TransportError> {
        let limit = call.kind.rule().attempt.map_or(self.timeout, |limit| limit.min(self.timeout));
        let span = tracing::debug_span!(
            "workos_auth.request",
            method = %call.method,
            route = call.route.template,
            attempt,
            status = Empty,
            request_id = Empty,
        );
        let request = self.request(call)?;
        let sending = tokio::time::timeout(limit, self.transport.send_boxed(request)).instrument(span.clone());
        let response = sending.await.unwrap_or_else(|_elapsed| Err(TransportError::timeout()))?;
        span.record("status", response.status().as_u16());
        if let Some(id) = request_id(response.headers()).and_then(|id| id.to_str().ok()) {
            span.record("request_id", id);
        }
        // A transport of the application may have read too much.
        if response.body().len() > RESPONSE_LIMIT { Err(TransportError::too_large()) } else { Ok(response) }
    }

    fn request(&self, call: &Call) -> Result<Request<Bytes>, TransportError> {
        let (body, content_type) = call.body.parts();
        let mut request = Request::new(body);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = self.base_url.uri(call.route.path.clone()).map_err(TransportError::not_sent)?;
        let headers = request.headers_mut();
        headers.reserve(4);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, self.user_agent.clone());
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        if let Some(authorization) = &call.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }
}

/// The API's request ID, if its characters are fit for a log.
fn request_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    let id = headers.get("x-request-id")?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (id.len() <= 128 && id.as_bytes().iter().all(plain)).then_some(id)
}
