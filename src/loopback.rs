//! The redirect listener of command-line and desktop applications (RFC 8252 §7.3).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, REFERRER_POLICY};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::error::{CallbackError, Error, ErrorKind};
use crate::id::RedirectUri;
use crate::login::{Callback, CodeExchange, PkceSession};
use crate::rejected::Rejected;
use crate::runtime::MAX_DURATION;

/// How long a connection may take to send the head of its request, in however many pieces.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection may take in total.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of open connections. Browsers open a few in advance, but not as many as this.
const MAX_CONNECTIONS: usize = 64;
/// How long a new connection is kept for its request, before another one may replace it.
const REQUEST_GRACE: Duration = Duration::from_millis(20);
/// The number of connections that the operating system queues. A client whose connection is dropped retries a second later.
const LISTEN_BACKLOG: u32 = 1024;

/// Waits on loopback for the callback of a login (RFC 8252 §7.3).
///
/// ```no_run
/// # async fn run(client: workos_auth::PublicClient) -> Result<(), workos_auth::Error> {
/// use workos_auth::LoopbackListener;
///
/// let listener = LoopbackListener::bind("/callback").await?;
/// let session = client.authorize(listener.redirect_uri().clone()).authkit().begin()?;
/// println!("open {}", session.url().as_str());
/// let response = listener.wait(session).await?.send().await?;
/// # Ok(()) }
/// ```
///
/// It accepts only its exact path and `Host`, goes on waiting after stray and forged requests, and its pages contain nothing of a
/// request. Other clients can't keep the browser out by holding connections: a request has 2 seconds to arrive, and if there are
/// more than 64 connections, the oldest without a request is closed.
#[derive(Debug)]
#[must_use = "the callback is not received unless `wait(session)` is called"]
pub struct LoopbackListener {
    listener: TcpListener,
    redirect_uri: RedirectUri,
    place: CallbackAddress,
    timeout: Duration,
}

/// The `Host` and the path that a callback must have.
#[derive(Clone, Debug)]
struct CallbackAddress {
    authority: String,
    path: String,
}

impl LoopbackListener {
    /// Listens on a free port of 127.0.0.1. The path is that of the redirect URI, such as `/callback`.
    ///
    /// # Errors
    /// [`ErrorKind::Listener`] with the operating system's error as its source, or [`ErrorKind::InvalidValue`].
    pub async fn bind(path: &str) -> Result<Self, Error> {
        Self::bind_to((Ipv4Addr::LOCALHOST, 0), path).await
    }

    /// Listens on a given port, or on IPv6, if the redirect URI is registered so. Port 0 means any free port.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); [`ErrorKind::InvalidValue`] naming `address` unless it is `127.0.0.1` or `[::1]`.
    #[allow(clippy::unused_async, reason = "a listener belongs to the runtime on which it is made")]
    pub async fn bind_to(address: impl Into<SocketAddr>, path: &str) -> Result<Self, Error> {
        let address = address.into();
        let loopback = match address.ip() {
            IpAddr::V4(ip) => ip == Ipv4Addr::LOCALHOST,
            IpAddr::V6(ip) => ip.is_loopback(),
        };
        if !loopback {
            return Err(Error::invalid_value("address", "must be 127.0.0.1 or [::1]"));
        }
        if !path.starts_with('/') || path.contains(['?', '#']) {
            return Err(Error::invalid_value("path", "must start with `/`, without a query or fragment"));
        }
        let listener = listen(address).map_err(Error::listener)?;
        let authority = listener.local_addr().map_err(Error::listener)?.to_string();
        let redirect_uri = RedirectUri::new(format!("http://{authority}{path}"))?;
        let place = CallbackAddress { authority, path: path.to_owned() };
        Ok(Self { listener, redirect_uri, place, timeout: Duration::from_secs(300) })
    }

    /// How long [`wait`](Self::wait) waits; 5 minutes unless given.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The redirect URI of this listener, for [`Client::authorize`](crate::Client::authorize).
    #[must_use]
    pub fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    /// Waits for the callback of this login. Callbacks with another state are answered and ignored.
    ///
    /// # Errors
    /// [`ErrorKind::Callback`] when the authorization was refused, or [`ErrorKind::NoCallback`] after the timeout. The
    /// session is returned in both cases.
    pub async fn wait<K>(self, mut session: PkceSession<K>) -> Result<CodeExchange<K>, Rejected<PkceSession<K>>> {
        let deadline = Instant::now() + self.timeout.min(MAX_DURATION);
        let (arrivals, mut arrived) = mpsc::channel(1);
        // Dropped with this future, and the connections with it.
        let mut server = JoinSet::new();
        server.spawn(serve(self.listener, self.place, arrivals));
        while let Ok(Some(Arrival { callback, answer, written })) = timeout_at(deadline, arrived.recv()).await {
            let (error, recovered) = match session.exchange(callback) {
                Ok(exchange) => {
                    answer_and_wait(answer, HtmlPage::Done, written).await;
                    return Ok(exchange);
                }
                Err(rejected) => rejected.into_parts(),
            };
            let refused = matches!(error.kind(), ErrorKind::Callback(CallbackError::Authorization(_)));
            match recovered {
                Some(recovered) if !refused => {
                    session = recovered;
                    let _ = answer.send(HtmlPage::Stray);
                }
                recovered => {
                    answer_and_wait(answer, HtmlPage::Refused, written).await;
                    return Err(Rejected::new(error, recovered));
                }
            }
        }
        Err(Rejected::returning(Error::no_callback(), session))
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // For a port whose last listener has just ended. On Windows the option would share the port with others.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// A request that looks like a callback.
struct Arrival {
    callback: Callback,
    answer: oneshot::Sender<HtmlPage>,
    /// It ends when the page is written and the connection is closed.
    written: oneshot::Receiver<Infallible>,
}

/// The listener ends with the login, so the page must be sent before.
async fn answer_and_wait(answer: oneshot::Sender<HtmlPage>, page: HtmlPage, written: oneshot::Receiver<Infallible>) {
    if answer.send(page).is_ok() {
        let _ = timeout(CONNECTION_TIMEOUT, written).await;
    }
}

async fn serve(listener: TcpListener, place: CallbackAddress, arrivals: mpsc::Sender<Arrival>) {
    let mut connections = Connections::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.make_room().await;
                connections.add(stream, place.clone(), arrivals.clone());
            }
            // There are probably no file descriptors; there may be some a moment later.
            Err(_) => sleep(REQUEST_GRACE).await,
        }
    }
}

/// The connections that are open, oldest first.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    open: VecDeque<Open>,
}

struct Open {
    since: Instant,
    /// Whether its request has arrived, or it was aborted.
    settled: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Connections {
    fn add(&mut self, stream: TcpStream, place: CallbackAddress, arrivals: mpsc::Sender<Arrival>) {
        let settled = Arc::new(AtomicBool::new(false));
        let task = self.tasks.spawn(connection(stream, place, arrivals, Arc::clone(&settled)));
        self.open.push_back(Open { since: Instant::now(), settled, task });
    }

    /// If there are too many, closes the oldest one that has sent no request.
    async fn make_room(&mut self) {
        loop {
            while self.tasks.try_join_next().is_some() {}
            self.open.retain(|connection| !connection.task.is_finished());
            if self.open.len() < MAX_CONNECTIONS {
                return;
            }
            match self.open.iter().find(|connection| !connection.settled.load(Ordering::Acquire)) {
                Some(idle) if idle.since.elapsed() < REQUEST_GRACE => sleep_until(idle.since + REQUEST_GRACE).await,
                // Its request has arrived in this moment.
                Some(idle) if idle.settled.swap(true, Ordering::AcqRel) => {}
                Some(idle) => {
                    idle.task.abort();
                    return;
                }
                None => drop(self.tasks.join_next().await),
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    place: CallbackAddress,
    arrivals: mpsc::Sender<Arrival>,
    settled: Arc<AtomicBool>,
) {
    let (open, written) = oneshot::channel();
    let written = Arc::new(Mutex::new(Some(written)));
    let service = service_fn(|request| {
        settled.store(true, Ordering::Release);
        let written = written.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (place, arrivals) = (&place, &arrivals);
        async move { Ok::<_, Infallible>(respond(&request, place, arrivals, written).await.response()) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let _ = timeout(CONNECTION_TIMEOUT, served).await;
    drop(open);
}

async fn respond(
    request: &Request<Incoming>,
    place: &CallbackAddress,
    arrivals: &mpsc::Sender<Arrival>,
    written: Option<oneshot::Receiver<Infallible>>,
) -> HtmlPage {
    // After DNS rebinding, a page of another origin can reach this address, but with its own name as `Host`.
    let here = request.headers().get(HOST).is_some_and(|host| host.as_bytes() == place.authority.as_bytes());
    if !here {
        return HtmlPage::Misdirected;
    }
    if request.uri().path() != place.path {
        return HtmlPage::NotFound;
    }
    if request.method() != Method::GET {
        return HtmlPage::NotAllowed;
    }
    let callback = request.uri().query().map(Callback::from_query);
    let (Some(Ok(callback)), Some(written)) = (callback, written) else {
        return HtmlPage::Stray;
    };
    let (answer, page) = oneshot::channel();
    if arrivals.send(Arrival { callback, answer, written }).await.is_err() {
        return HtmlPage::Stray;
    }
    page.await.unwrap_or(HtmlPage::Stray)
}

macro_rules! page {
    ($text:literal) => {
        concat!("<!doctype html><html lang=\"en\"><title>Sign-in</title><p>", $text, "</p></html>\n")
    };
}

/// The pages of this listener. They contain nothing of a request.
#[derive(Clone, Copy)]
enum HtmlPage {
    Done,
    Refused,
    Stray,
    NotFound,
    NotAllowed,
    Misdirected,
}

impl HtmlPage {
    fn response(self) -> Response<Full<Bytes>> {
        let (status, body) = match self {
            Self::Done => (StatusCode::OK, page!("You may close this window. The application goes on from here.")),
            Self::Refused => (StatusCode::OK, page!("The sign-in was not completed. You may close this window.")),
            Self::Stray => (StatusCode::BAD_REQUEST, page!("This is not the answer that the application waits for.")),
            Self::NotFound => (StatusCode::NOT_FOUND, page!("There is nothing here.")),
            Self::NotAllowed => (StatusCode::METHOD_NOT_ALLOWED, page!("Only GET is understood here.")),
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, page!("There is nothing here.")),
        };
        let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        // The URL of this page contains the code.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        if matches!(self, Self::NotAllowed) {
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }
}
