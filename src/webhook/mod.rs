//! WorkOS's webhooks: events that are verified, and handled once.
//!
//! | item | what it is |
//! | --- | --- |
//! | [`Webhooks`] | verifies a request, and hands its event to a handler |
//! | [`WebhookEvent`], [`EventData`] | what has happened |
//! | [`Delivery`], [`WebhookError`] | whether the event was handled, and the status of the response |
//! | [`SessionManager::apply`](crate::SessionManager::apply) | ends the sessions that an event is about, in all processes at once |
//!
//! An endpoint, over the types of the `http` crate. Register its URL in the dashboard for `session.revoked`, `user.deleted` and
//! `organization_membership.deleted` and `.updated`, and keep the secret that the dashboard shows.
//!
//! ```
//! use workos_auth::SessionManager;
//! use workos_auth::reexports::bytes::Bytes;
//! use workos_auth::reexports::http::{Request, StatusCode};
//! use workos_auth::session::MemorySessionStore;
//! use workos_auth::webhook::{WebhookSecret, Webhooks};
//! # use workos_auth::testing::{AuthKit, Browser};
//! # use workos_auth::{Callback, RedirectUri, SessionState};
//!
//! type Sessions = SessionManager<MemorySessionStore>;
//!
//! async fn endpoint(
//!     sessions: &Sessions,
//!     webhooks: &Webhooks<MemorySessionStore>,
//!     request: Request<Bytes>,
//! ) -> StatusCode {
//!     let handled = webhooks.handle(request.headers(), request.body(), async |event| sessions.apply(&event).await);
//!     match handled.await {
//!         Ok(_) => StatusCode::OK,
//!         Err(error) => {
//!             eprintln!("webhook: {error}");
//!             error.status()
//!         }
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let authkit = AuthKit::start().await?;
//! # let client = authkit.confidential_client();
//! # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
//! # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
//! # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?;
//! let sessions = SessionManager::new(client, MemorySessionStore::new());
//! // Usually from an environment variable.
//! let secret = WebhookSecret::new("the-secret-of-this-endpoint")?;
//! let webhooks = sessions.webhooks("https://example.com/webhooks/workos", secret.clone());
//! # let handle = sessions.sign_in(response).await?;
//! # let SessionState::Active(session) = sessions.authenticate(&handle).await else { panic!("signed in") };
//!
//! // In a test, the in-process AuthKit ends a session, and makes the request that WorkOS would send:
//! let request = authkit.revoke_session(&secret, session.token().session_id().as_str())?;
//! assert_eq!(endpoint(&sessions, &webhooks, request).await, 200);
//! assert!(matches!(sessions.authenticate(&handle).await, SessionState::SignedOut(_)));
//! # Ok(())
//! # }
//! ```
//!
//! # Each event once
//!
//! WorkOS sends an event again, for up to three days, until the endpoint answers with 200; an answer must come within seconds.
//! So [`Webhooks::handle`] remembers an event **after** its handler has returned `Ok`. An event whose handler failed is handled again
//! when it comes again. An event that was handled is [`Repeated`](Delivery::Repeated) when it comes again. While a handler runs, the
//! same event is refused with a status that makes WorkOS send it later.
//!
//! An event is handled once more when the process dies, or the store is unavailable or full, after the handler's work and before that
//! was written down; and when the store is unavailable, or the handler blocks all threads of its runtime, for 30 seconds while the handler
//! runs. So a handler should make a second run harmless.
//!
//! What was handled is remembered in a [`SessionStore`], which may be that of the sessions. Processes that answer the same endpoint and
//! share the store handle each event once in all; another endpoint handles it, too. With a [`MemorySessionStore`](crate::session::MemorySessionStore), each process
//! goes by its own memory only, until it ends.
//!
//! Events may come in another order than they happened: compare [`WebhookEvent::created_at`], or the times in its data, before an older
//! event overwrites what a newer one said.

mod apply;
mod error;
mod event;

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::HeaderMap;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::Client;
use crate::credentials::HasClientId;
use crate::runtime::Runtime;
pub use crate::secret::WebhookSecret;
use crate::session::SessionStore;
use crate::signature;
use crate::tasks::Tasks;
use crate::wire;
pub use error::{WebhookError, WebhookErrorKind};
pub use event::{
    ApiKeyChange, ApiKeyOwner, Authentication, AuthenticationError, AuthenticationSso, Emailed, EventData,
    InvitationChange, MembershipChange, RadarRisk, RoleChange, SessionChange, UnknownEvent, UserDeletion, WebhookEvent,
};

/// How old a signature may be, and how far in the future.
const TOLERANCE: Duration = Duration::from_secs(180);
/// How many bytes a body may have, unless the application says otherwise. An event of WorkOS has a few thousand.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// How long it is remembered that an event was handled, unless the application says otherwise. WorkOS sends events again for three days.
const REMEMBERED_FOR: Duration = Duration::from_secs(4 * 86_400);
/// How long an event stays reserved after the process that handles it has died.
const LEASE: Duration = Duration::from_secs(30);
/// How often the lease of a handler that runs is renewed.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);
/// How long a call of the store may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);
/// The pauses before each attempt to write down that an event was handled: a store that starts again needs a moment.
const WRITE_PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(3)];

/// Verifies the requests to a webhook endpoint, and sees to it that each event is handled once. See the [module](self).
///
/// Clones share everything.
pub struct Webhooks<S> {
    secrets: Vec<WebhookSecret>,
    store: Arc<S>,
    tasks: Arc<Tasks>,
    runtime: Runtime,
    /// The client ID, the base URL and the endpoint: what handlers that share a store don't have in common.
    context: String,
    pub(crate) max_body_bytes: usize,
    remembered_for: Duration,
}

/// How an event was handled. Answer the request with 200 in both cases.
///
/// There is no third case, so this enum is exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery<T> {
    /// The handler has handled it just now, and returned this.
    Handled(T),
    /// It was handled before. The handler didn't run.
    Repeated,
}

impl<S: SessionStore> Webhooks<S> {
    /// For an application without a [`SessionManager`](crate::SessionManager), which has
    /// [`webhooks`](crate::SessionManager::webhooks) of its own. The store remembers what was handled.
    ///
    /// `endpoint` is the endpoint's address as it is registered at WorkOS. All processes that answer it share what was handled. WorkOS
    /// sends the same event to each endpoint, and each handles it.
    #[must_use]
    pub fn new<K: HasClientId>(client: &Client<K>, store: S, endpoint: impl AsRef<str>, secret: WebhookSecret) -> Self {
        Self::on(client, Arc::new(store), endpoint.as_ref(), secret)
    }

    fn on<K: HasClientId>(client: &Client<K>, store: Arc<S>, endpoint: &str, secret: WebhookSecret) -> Self {
        Self {
            secrets: vec![secret],
            store,
            tasks: client.core.shared.get(),
            runtime: client.core.runtime.clone(),
            context: format!("{} {} {endpoint}", client.client_id(), client.base_url()),
            max_body_bytes: MAX_BODY_BYTES,
            remembered_for: REMEMBERED_FOR,
        }
    }

    /// Accepts the signatures of another secret, too: of the old one, while it is exchanged for a new one, or of another endpoint.
    #[must_use]
    pub fn or_secret(mut self, secret: WebhookSecret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// How many bytes a body may have; 262,144 unless set. Give your framework a limit, too: the body is in memory when it comes here.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// How long it is remembered that an event was handled; 4 days unless set. WorkOS sends an event again for 3 days, and the same
    /// request is accepted for 3 minutes, so less makes repetitions possible.
    #[must_use]
    pub fn remember_for(mut self, time: Duration) -> Self {
        self.remembered_for = time;
        self
    }

    /// Verifies a request, and hands its event to `handler`, unless the event was handled before.
    ///
    /// `body` is the request's body as it came, byte for byte: a body that was parsed and written again has another signature. The
    /// header `WorkOS-Signature` must be there once, as `t=…, v1=…`, and not be older than 3 minutes or that far in the future. The body
    /// is signed with one of the secrets; the comparison takes constant time.
    ///
    /// A handler must answer within seconds: let it put slow work into a queue. Its `Err` makes WorkOS send the event again. When the
    /// caller is cancelled, the handler is, too, and the event counts as not handled. The handler is also cancelled when another delivery
    /// has taken the event over.
    ///
    /// # Errors
    /// [`WebhookError`]: answer with its [`status`](WebhookError::status).
    pub async fn handle<T, E>(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        handler: impl AsyncFnOnce(WebhookEvent) -> Result<T, E>,
    ) -> Result<Delivery<T>, WebhookError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let event = self.verify(headers, body)?;
        let mut reserved = Reserved::new(Lease {
            store: Arc::clone(&self.store),
            tasks: Arc::clone(&self.tasks),
            key: wire::sha256_hex(&format!("workos-auth webhook event: {} {}", self.context, event.id())),
            owner: wire::random_name(self.runtime.random.as_ref()).map_err(WebhookError::randomness)?,
        });
        let known = match reserved.take().await {
            Ok(true) => reserved.lease.is_handled().await,
            Ok(false) => return Err(WebhookErrorKind::InProgress.into()),
            Err(error) => Err(error),
        };
        if !matches!(known, Ok(false)) {
            reserved.release().await;
            return known.map(|_| Delivery::Repeated).map_err(WebhookError::store);
        }
        match reserved.during(handler(event)).await {
            Some(Ok(value)) => reserved.remember(self.remembered_for).await.map(|()| Delivery::Handled(value)),
            Some(Err(error)) => {
                reserved.release().await;
                Err(WebhookError::handler(error.into()))
            }
            None => Err(WebhookErrorKind::InProgress.into()),
        }
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
        let signature = signature::parse(headers)?;
        if body.len() > self.max_body_bytes {
            return Err(WebhookErrorKind::TooLarge.into());
        }
        signature.verify(&self.secrets, body, TOLERANCE, self.runtime.clock.now())?;
        event::parse(body).ok_or_else(|| WebhookErrorKind::Unreadable.into())
    }
}

/// The right of one delivery to handle an event.
struct Lease<S> {
    store: Arc<S>,
    tasks: Arc<Tasks>,
    key: String,
    owner: String,
}

impl<S: SessionStore> Lease<S> {
    /// Whether this delivery has the lease, from now on or again.
    async fn take(&self) -> io::Result<bool> {
        within_limit(self.store.lock(&self.key, &self.owner, LEASE)).await
    }

    /// Takes it again and again, until another delivery has it.
    async fn renew(self: Arc<Self>) {
        loop {
            sleep(RENEWAL_PAUSE).await;
            if matches!(self.take().await, Ok(false)) {
                return;
            }
        }
    }

    /// If this fails, the lease ends by itself.
    async fn release(&self) {
        drop(within_limit(self.store.unlock(&self.key, &self.owner)).await);
    }

    async fn is_handled(&self) -> io::Result<bool> {
        within_limit(self.store.load(&self.key)).await.map(|held| held.is_some())
    }

    async fn write(&self, time: Duration) -> io::Result<()> {
        let start = Instant::now();
        within_limit(self.store.remove(&self.key, time)).await?;
        // A store without room leaves no tombstone, and returns no error.
        if self.is_handled().await? || start.elapsed() >= time {
            Ok(())
        } else {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
}

/// An event that only this delivery may handle. It is free for others when this is gone: also when the handler panics, or its caller is
/// cancelled.
struct Reserved<S: SessionStore> {
    lease: Arc<Lease<S>>,
    is_held: bool,
    /// In a task of its own: a handler may keep its own task busy. It ends when another delivery has the lease.
    renewals: JoinSet<()>,
}

impl<S: SessionStore> Reserved<S> {
    fn new(lease: Lease<S>) -> Self {
        Self { lease: Arc::new(lease), is_held: true, renewals: JoinSet::new() }
    }

    async fn take(&mut self) -> io::Result<bool> {
        let taken = self.lease.take().await;
        self.is_held = !matches!(taken, Ok(false));
        if matches!(taken, Ok(true)) {
            self.renewals.spawn(Arc::clone(&self.lease).renew());
        }
        taken
    }

    async fn release(mut self) {
        self.renewals.abort_all();
        self.lease.release().await;
        self.is_held = false;
    }

    /// The handler's work; `None` when another delivery has taken the lease.
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => self.renewals.poll_join_next(context).map(|_| None),
        })
        .await
    }

    /// Writes down that the event was handled, in a task of its own: the caller may be cancelled when the sender doesn't wait any longer.
    async fn remember(self, time: Duration) -> Result<(), WebhookError> {
        let tasks = Arc::clone(&self.lease.tasks);
        let task = tasks.spawn(async move {
            let mut written = Ok(());
            for pause in WRITE_PAUSES {
                sleep(pause).await;
                written = self.lease.write(time).await;
                if written.is_ok() {
                    break;
                }
            }
            self.release().await;
            written
        });
        task.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into())).map_err(WebhookError::store)
    }
}

impl<S: SessionStore> Drop for Reserved<S> {
    fn drop(&mut self) {
        self.renewals.abort_all();
        if self.is_held && Handle::try_current().is_ok() {
            let lease = Arc::clone(&self.lease);
            drop(self.lease.tasks.spawn(async move { lease.release().await }));
        }
    }
}

async fn within_limit<T>(call: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(STORE_TIMEOUT, call).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl<S> Clone for Webhooks<S> {
    fn clone(&self) -> Self {
        Self {
            secrets: self.secrets.clone(),
            store: Arc::clone(&self.store),
            tasks: Arc::clone(&self.tasks),
            runtime: self.runtime.clone(),
            context: self.context.clone(),
            max_body_bytes: self.max_body_bytes,
            remembered_for: self.remembered_for,
        }
    }
}

impl<S> fmt::Debug for Webhooks<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Webhooks").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}
