//! Machines: programs that call others with a token of their own, without a user (RFC 6749 §4.4).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Method};
use jiff::Timestamp;
use serde::Deserialize;

use super::scopes::Scopes;
use crate::authorization;
#[cfg(any(feature = "hyper", feature = "reqwest"))]
use crate::client::Client;
use crate::client::ClientBuilder;
use crate::credentials::NoCredentials;
use crate::error::{Error, ErrorKind};
use crate::id::{ClientId, Issuer};
use crate::runtime::{Moment, seconds};
use crate::secret::{MachineAccessToken, MachineSecret};
use crate::single_flight::{Flight, InFlight, Owner};
use crate::transport::{self, Body, Call, Core, Failure, Reply, RequestKind, Transport};
use crate::wire;

/// How long before its expiry a token is replaced, unless the application says otherwise.
const REFRESH_AHEAD: Duration = Duration::from_secs(30);
/// How long a token that is still good is used after the request for the next one has failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);

type Answer = Result<MachineToken, Error>;

/// A machine: a program that gets access tokens for itself with its client ID and secret (an M2M application of Connect), and calls
/// other services with them. It can do nothing else: no user signs in with it, and its secret is no API key.
///
/// A token is kept until shortly before it expires. Callers share it, and they share the request for the next one. Cloning is cheap, and
/// clones share the token.
///
/// The audience of its tokens is the client ID of the WorkOS environment. An API that this crate protects accepts them only with
/// [`ResourceServer::accept_client`](super::ResourceServer::accept_client).
///
/// ```
/// use workos_auth::connect::{MachineClient, Scopes};
/// # use workos_auth::testing::{AuthKit, TestMachine};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let machine = TestMachine::new("client_machine", "a-secret").scope("read:posts");
/// # let authkit = AuthKit::builder().machine(machine).start().await?;
/// // An application writes `MachineClient::new(issuer, client_id, MachineSecret::new(…)?)?`.
/// let machine = authkit.machine_client("client_machine", "a-secret")?.scopes(Scopes::new(["read:posts"])?);
///
/// let token = machine.token().await?;
/// let request = http::Request::get("https://api.example.com/posts")
///     .header("authorization", token.authorization_header())
///     .body(())?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MachineClient {
    core: Arc<Core>,
    machine: Arc<Machine>,
    scopes: Scopes,
    refresh_ahead: Duration,
    /// A changed client starts without a token.
    tokens: Arc<Tokens>,
}

struct Machine {
    issuer: Issuer,
    client_id: ClientId,
    secret: MachineSecret,
}

/// # Machines
impl ClientBuilder<NoCredentials> {
    /// Builds a [`MachineClient`] with these settings: a timeout, a proxy, certificate authorities. The issuer takes the place of the base
    /// URL.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "server")))]
    pub fn machine(self, issuer: Issuer, client_id: ClientId, secret: MachineSecret) -> Result<MachineClient, Error> {
        Ok(MachineClient::of(self.core_of(&issuer)?, issuer, client_id, secret))
    }

    /// Builds a [`MachineClient`] with another [`Transport`].
    ///
    /// # Errors
    /// As [`build_with`](Self::build_with).
    #[cfg_attr(docsrs, doc(cfg(feature = "server")))]
    pub fn machine_with(
        self,
        issuer: Issuer,
        client_id: ClientId,
        secret: MachineSecret,
        transport: impl Transport,
    ) -> Result<MachineClient, Error> {
        Ok(MachineClient::of(self.core_of_with(&issuer, transport)?, issuer, client_id, secret))
    }
}

impl MachineClient {
    /// A machine that gets its tokens from this issuer.
    ///
    /// For other settings of the HTTP client, see [`ClientBuilder::machine`].
    ///
    /// ```
    /// use workos_auth::ClientId;
    /// use workos_auth::connect::MachineClient;
    /// use workos_auth::id::Issuer;
    /// use workos_auth::secret::MachineSecret;
    ///
    /// let issuer = Issuer::new("https://example.authkit.app")?;
    /// let machine = MachineClient::new(issuer, ClientId::new("client_123")?, MachineSecret::new("the-secret")?)?;
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub fn new(issuer: Issuer, client_id: ClientId, secret: MachineSecret) -> Result<Self, Error> {
        Client::builder().machine(issuer, client_id, secret)
    }

    pub(crate) fn of(core: Arc<Core>, issuer: Issuer, client_id: ClientId, secret: MachineSecret) -> Self {
        let machine = Arc::new(Machine { issuer, client_id, secret });
        Self { core, machine, scopes: Scopes::default(), refresh_ahead: REFRESH_AHEAD, tokens: Arc::default() }
    }

    /// The scopes of its tokens. Without this, or with none, the issuer decides.
    #[must_use]
    pub fn scopes(self, scopes: Scopes) -> Self {
        Self { scopes, tokens: Arc::default(), ..self }
    }

    /// How long before its expiry a token is replaced; 30 s unless given, and never more than a quarter of its lifetime. Meanwhile the
    /// old one is used.
    #[must_use]
    pub fn refresh_ahead(self, ahead: Duration) -> Self {
        Self { refresh_ahead: ahead, tokens: Arc::default(), ..self }
    }

    /// A token that is good now, with all scopes that were asked for: the one that is there, or a new one (`POST /oauth2/token`).
    ///
    /// While a token is good, no outage of the issuer is seen.
    ///
    /// # Errors
    /// [`ErrorKind::Api`] when the issuer refuses, [`ErrorKind::ScopesNotGranted`] when the token has fewer scopes than were asked for, or
    /// the failure of the connection or of the reply.
    pub async fn token(&self) -> Result<MachineToken, Error> {
        loop {
            let flight = match self.find() {
                Found::Token(token) => return Ok(token),
                Found::TokenAndBegun(token, flight) => {
                    self.ask(flight);
                    return Ok(token);
                }
                Found::InFlight(flight) => flight,
                Found::Begun(flight) => {
                    self.ask(flight.clone());
                    flight
                }
            };
            match flight.wait().await {
                Some(answer) => return answer,
                // Nobody drives its task.
                None => self.tokens.give_up(&(), &flight),
            }
        }
    }

    /// What there is for a caller.
    fn find(&self) -> Found {
        let clock = &*self.core.runtime.clock;
        let mut state = self.tokens.lock();
        if let Some(token) = state.current.clone() {
            let Issued { since, lifetime, .. } = &*token.0;
            let left = lifetime.saturating_sub(since.age(clock));
            let is_young = left > self.refresh_ahead.min(*lifetime / 4);
            let has_failed = state.failed.is_some_and(|failed| failed.age(clock) < FAILURE_PAUSE);
            if is_young || !left.is_zero() && (has_failed || state.flight.is_some()) {
                return Found::Token(token);
            }
            if !left.is_zero() {
                return Found::TokenAndBegun(token, state.begin());
            }
        }
        match &state.flight {
            Some(flight) => Found::InFlight(flight.clone()),
            None => Found::Begun(state.begin()),
        }
    }

    /// Asks for a token in a task of its own, which goes on when the caller is cancelled.
    fn ask(&self, flight: Flight<Answer>) {
        let owner = Owner::new(Arc::clone(&self.tokens), (), flight);
        let client = self.clone();
        tokio::spawn(async move {
            let answer = owner.keep_alive(client.request()).await;
            {
                let mut state = owner.table().lock();
                let is_current = state.flight.as_ref().is_some_and(|flight| flight.is(owner.flight()));
                match &answer {
                    // It was given up, and another request took its place.
                    _ if !is_current => {}
                    Ok(token) => (state.current, state.failed) = (Some(token.clone()), None),
                    Err(_) => state.failed = Some(Moment::now(&*client.core.runtime.clock)),
                }
            }
            owner.finish(answer);
        });
    }

    async fn request(&self) -> Result<MachineToken, Error> {
        let Machine { client_id, secret, .. } = &*self.machine;
        let call = Call {
            method: Method::POST,
            route: wire::CONNECT_TOKEN.into(),
            authorization: None,
            body: Body::Form(wire::client_credentials(client_id, secret, &self.scopes.to_string())),
            kind: RequestKind::MachineToken,
        };
        let granted = self.core.send(call).await.and_then(|reply| read(reply, &self.scopes));
        let Granted { token, since, lifetime, scopes } = granted.map_err(|failure| failure.error)?;
        let header = wire::bearer(&token)?;
        // The computer slept, or the issuer is slower than its tokens last.
        if since.age(&*self.core.runtime.clock) >= lifetime {
            return Err(Error::too_late());
        }
        let expires_at = since.time.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        Ok(MachineToken(Arc::new(Issued { token, header, scopes, since, lifetime, expires_at })))
    }
}

impl fmt::Debug for MachineClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MachineClient")
            .field("issuer", &self.machine.issuer)
            .field("client_id", &self.machine.client_id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

enum Found {
    Token(MachineToken),
    /// It will expire soon.
    TokenAndBegun(MachineToken, Flight<Answer>),
    InFlight(Flight<Answer>),
    Begun(Flight<Answer>),
}

/// The token of a client and its clones, and the request for the next one.
#[derive(Default)]
struct Tokens(Mutex<State>);

#[derive(Default)]
struct State {
    current: Option<MachineToken>,
    flight: Option<Flight<Answer>>,
    /// When the last request has failed.
    failed: Option<Moment>,
}

impl State {
    fn begin(&mut self) -> Flight<Answer> {
        self.flight.insert(Flight::new()).clone()
    }
}

impl Tokens {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight for Tokens {
    type Key = ();
    type Output = Answer;

    fn give_up(&self, (): &(), flight: &Flight<Answer>) {
        self.lock().flight.take_if(|current| current.is(flight));
    }

    fn abandoned() -> Answer {
        Err(Error::abandoned())
    }
}

/// What the issuer has granted.
struct Granted {
    token: MachineAccessToken,
    /// Before it was asked for: a token is never taken to be good for longer than it is.
    since: Moment,
    lifetime: Duration,
    scopes: Scopes,
}

/// Reads a reply (RFC 6749 §5.1).
fn read(reply: Reply, asked: &Scopes) -> Result<Granted, Failure> {
    #[derive(Deserialize)]
    struct Received {
        access_token: MachineAccessToken,
        token_type: String,
        expires_in: f64,
        scope: Option<String>,
    }
    let Received { access_token: token, token_type, expires_in, scope } = match transport::success_or_refusal(&reply) {
        Ok(Ok(received)) => received,
        Ok(Err(refusal)) => return Err(refusal.failure(reply)),
        Err(kind) => return Err(reply.failure(kind)),
    };
    if !token_type.eq_ignore_ascii_case("Bearer") || !authorization::is_b64token(wire::text(&token)) {
        return Err(reply.failure(ErrorKind::UnexpectedShape));
    }
    let lifetime = seconds(expires_in);
    if lifetime.is_zero() {
        return Err(reply.failure(ErrorKind::UnexpectedShape));
    }
    // A reply that names none grants what was asked for.
    let scopes = match scope.map(|scope| scope.parse::<Scopes>()) {
        None => asked.clone(),
        Some(Ok(granted)) => granted,
        Some(Err(_)) => return Err(reply.failure(ErrorKind::UnexpectedShape)),
    };
    if !asked.iter().all(|scope| scopes.contains(scope)) {
        return Err(reply.failure(ErrorKind::ScopesNotGranted));
    }
    Ok(Granted { token, since: reply.asked, lifetime, scopes })
}

/// The access token of a machine, to be presented to other services. It is no token of a user's session. A clone is cheap.
#[derive(Clone)]
pub struct MachineToken(Arc<Issued>);

struct Issued {
    token: MachineAccessToken,
    header: HeaderValue,
    scopes: Scopes,
    since: Moment,
    lifetime: Duration,
    expires_at: Timestamp,
}

impl MachineToken {
    /// `Bearer …`, for the `Authorization` header of a request (RFC 6750 §2.1). It is marked as sensitive.
    #[must_use]
    pub fn authorization_header(&self) -> HeaderValue {
        self.0.header.clone()
    }

    /// The token itself, for a service that takes it elsewhere than in a header.
    #[must_use]
    pub fn access_token(&self) -> &MachineAccessToken {
        &self.0.token
    }

    /// When it expires, by this machine's clock.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }

    /// Its scopes: all that were asked for, and perhaps more.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }
}

impl fmt::Debug for MachineToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MachineToken")
            .field("expires_at", &self.0.expires_at)
            .field("scopes", &self.0.scopes)
            .finish_non_exhaustive()
    }
}
