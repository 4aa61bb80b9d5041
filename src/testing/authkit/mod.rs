//! The in-process AuthKit.
//!
//! `state.rs` holds what it remembers. Files named for what they serve add their methods to it. `routes.rs` and
//! `server.rs` speak HTTP.

#[cfg(feature = "server")]
mod actions;
mod api;
#[cfg(feature = "server")]
mod connect;
mod customer_keys;
mod device;
mod email;
mod endpoint;
mod factors;
mod fault;
mod hosted;
mod invitations;
mod keys;
#[cfg(feature = "server")]
mod machines;
mod memberships;
mod oauth;
mod one_time_code;
mod pages;
mod records;
mod redirect;
mod refusal;
mod reply;
mod routes;
mod server;
mod sessions;
mod sso;
mod state;
mod steps;
mod token_request;
mod user;
mod users;
mod values;
#[cfg(feature = "server")]
mod webhooks;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[cfg(feature = "server")]
pub use actions::ActionVerdict;
#[cfg(feature = "server")]
pub use connect::ConnectToken;
pub use customer_keys::TestApiKey;
pub use endpoint::Endpoint;
pub use fault::Fault;
use keys::SigningKey;
#[cfg(feature = "server")]
pub use machines::TestMachine;
use state::{Config, Impersonator, SharedState, State};
pub use user::{RadarDemand, TestMembership, TestUser};
use values::after;

use super::clock::{ManualClock, Skew};
use crate::client::{Client, ClientBuilder, ConfidentialClient, PublicClient};
use crate::credentials::{Confidential, Public};
use crate::id::Issuer;

/// An AuthKit inside the process that serves real HTTP on loopback.
///
/// It checks what the real one checks: PKCE, secrets, redirect URIs, single use and expiry. Its access tokens are RS256
/// JWTs, and its JWKS has the keys to verify them. The server stops when this value is dropped.
///
/// ```
/// use workos_auth::testing::{AuthKit, TestUser};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authkit = AuthKit::builder().user(TestUser::new("grace@example.com").name("Grace", "Hopper")).start().await?;
/// let client = authkit.confidential_client();
/// let users = client.users().list().send().await?.data;
/// assert_eq!(users[0].email, "grace@example.com");
/// # Ok(())
/// # }
/// ```
pub struct AuthKit {
    state: SharedState,
    config: Arc<Config>,
    base_url: String,
    issuer: Issuer,
    clock: ManualClock,
    /// What all its clients are made of. No request is sent with it.
    client: ConfidentialClient,
    server: JoinHandle<()>,
}

impl AuthKit {
    /// Starts an AuthKit with one user, `ada@example.com`.
    ///
    /// # Errors
    /// Fails when there is no free port, or when no key could be generated.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Configures an AuthKit.
    pub fn builder() -> AuthKitBuilder {
        AuthKitBuilder::default()
    }

    /// The base URL for clients, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The client ID of its application.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.config.client_id
    }

    /// The API key of its application.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.config.api_key
    }

    /// A client for this AuthKit with its API key, as a server has.
    ///
    /// Each client that it makes is one of its own, as in another process: only clones share keys and refreshes. All go by the
    /// AuthKit's [clock](Self::clock).
    #[must_use]
    pub fn confidential_client(&self) -> ConfidentialClient {
        self.client.separate()
    }

    /// A client for this AuthKit without an API key, as an application on a user's device has.
    #[must_use]
    pub fn public_client(&self) -> PublicClient {
        self.client.separate().holding(Public { client_id: self.client.client_id().clone() })
    }

    /// As [`confidential_client`](Self::confidential_client), for a client with settings of its own: a timeout, retries.
    pub fn confidential_client_builder(&self) -> ClientBuilder<Confidential> {
        self.public_client_builder().api_key(self.api_key())
    }

    /// As [`public_client`](Self::public_client), for a client with settings of its own: a timeout, retries.
    pub fn public_client_builder(&self) -> ClientBuilder<Public> {
        client_builder(&self.config, &self.base_url, &self.clock)
    }

    /// The clock of the server, and of the clients that this AuthKit makes. It starts with the system's time and ticks, unless
    /// [`AuthKitBuilder::clock`] sets another one.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Lets time pass, for the server and for the clients that this AuthKit has made: access tokens and codes expire, keys grow
    /// old, and the replay window of refresh tokens ends.
    ///
    /// A client that was built without this AuthKit goes by its own clock. Timeouts and the time that stores keep are tokio's
    /// time in all clients: see [Time](super#time).
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// How many requests came to an endpoint. Retries count.
    #[must_use]
    pub fn requests_to(&self, endpoint: Endpoint) -> usize {
        self.state.lock().request_counts.get(&endpoint).copied().unwrap_or(0)
    }

    /// How many refreshes the server has done. A replay doesn't count.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        self.state.lock().refreshes
    }

    /// Injects a fault into all requests to an endpoint, for this long by the server's time.
    pub fn inject_for(&self, endpoint: Endpoint, fault: Fault, time: Duration) {
        let mut state = self.state.lock();
        let end = after(state.now(), time);
        state.faults.inject_until(endpoint, fault, end);
    }

    /// Injects a fault into the next requests to an endpoint. With `usize::MAX` times, it lasts until [`heal`](Self::heal).
    pub fn inject(&self, endpoint: Endpoint, fault: Fault, times: usize) {
        self.state.lock().faults.inject(endpoint, fault, times);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.state.lock().faults.clear();
    }

    /// Signs later tokens with a new key. The old keys stay in the JWKS until [`retire_keys`](Self::retire_keys).
    ///
    /// # Errors
    /// Fails when no key could be generated.
    pub fn rotate_keys(&self) -> io::Result<()> {
        let key = SigningKey::unused(self.base_url())?;
        self.state.lock().keys.insert(0, key);
        Ok(())
    }

    /// Removes all keys except the newest from the JWKS.
    pub fn retire_keys(&self) {
        self.state.lock().keys.truncate(1);
    }

    /// Sets how wrong the times in later tokens are.
    pub fn set_skew(&self, skew: Skew) {
        self.state.lock().token_skew = skew;
    }

    /// Ends a session, as an administrator does in the dashboard.
    pub fn end_session(&self, session_id: &str) {
        self.state.lock().end_session(session_id);
    }

    /// Ends all sessions of a user, as an administrator does in the dashboard: their refresh tokens are refused from now on.
    ///
    /// # Errors
    /// Fails when there is no such user.
    pub fn end_sessions_of(&self, email: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        let id = state.user_by_email(email).map(|user| user.id.clone()).ok_or_else(|| state.unknown_user(email))?;
        state.end_sessions_of(&id);
        Ok(())
    }

    /// The users there are: those of the builder, and those that were created since.
    #[must_use]
    pub fn users(&self) -> Vec<TestUser> {
        self.state.lock().users.clone()
    }

    /// Sends a Magic Auth e-mail, and returns the code in it.
    ///
    /// # Errors
    /// Fails when there is no such user.
    pub fn send_magic_auth(&self, email: &str) -> io::Result<String> {
        let mut state = self.state.lock();
        let unknown = state.unknown_user(email);
        let sent = state.send_magic_auth(email).map_err(|_| unknown)?;
        Ok(sent["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The code in the last verification e-mail, Radar e-mail or SMS to this user.
    #[must_use]
    pub fn last_code(&self, email: &str) -> Option<String> {
        let state = self.state.lock();
        state.last_codes.get(&state.user_by_email(email)?.id).cloned()
    }

    /// The code that the user's authenticator app shows for the TOTP factor that was enrolled last (RFC 6238). After a code was
    /// accepted it is the next one. `None` when the user has no such factor.
    #[must_use]
    pub fn totp_code(&self, email: &str) -> Option<String> {
        let state = self.state.lock();
        state.factors.authenticator_code(&state.user_by_email(email)?.id, state.now())
    }

    /// Impersonates a user, as the dashboard does. Returns the callback URL, which has a code but no state.
    ///
    /// # Errors
    /// Fails when there is no such user, or when the redirect URI isn't allowed.
    pub fn impersonate(&self, email: &str, by: &str, reason: Option<&str>, redirect_uri: &str) -> io::Result<String> {
        let by = Impersonator { email: by.to_owned(), reason: reason.map(str::to_owned) };
        self.state.lock().impersonate(email, by, redirect_uri)
    }
}

impl Drop for AuthKit {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl fmt::Debug for AuthKit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuthKit").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

fn client_builder(config: &Config, base_url: &str, clock: &ManualClock) -> ClientBuilder<Public> {
    Client::builder().client_id(&config.client_id).base_url(base_url).clock(clock.clone())
}

/// Configures an [`AuthKit`].
#[must_use = "no server runs until `start()`"]
pub struct AuthKitBuilder {
    config: Config,
    clock: Option<ManualClock>,
    port: u16,
}

impl Default for AuthKitBuilder {
    fn default() -> Self {
        Self {
            config: Config {
                client_id: "client_test_authkit".to_owned(),
                api_key: "sk_test_authkit".to_owned(),
                users: Vec::new(),
                customer_keys: Vec::new(),
                #[cfg(feature = "server")]
                machines: Vec::new(),
                redirect_uris: Vec::new(),
                sso_domains: Vec::new(),
                access_token_lifetime: Duration::from_secs(300),
                code_lifetime: Duration::from_secs(600),
            },
            clock: None,
            port: 0,
        }
    }
}

impl AuthKitBuilder {
    /// Sets the client ID of its application.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.config.client_id = client_id.into();
        self
    }

    /// Sets the API key of its application.
    pub fn api_key(mut self, api_key: impl Into<String>) -> Self {
        self.config.api_key = api_key.into();
        self
    }

    /// Adds a user. The default is one user: Ada Lovelace, `ada@example.com`.
    pub fn user(mut self, user: TestUser) -> Self {
        self.config.users.push(user);
        self
    }

    /// Adds an API key of one of the application's customers. The default is none.
    pub fn customer_api_key(mut self, key: TestApiKey) -> Self {
        self.config.customer_keys.push(key);
        self
    }

    /// Adds a machine: an M2M application of Connect. The default is none.
    #[cfg(feature = "server")]
    #[cfg_attr(docsrs, doc(cfg(feature = "server")))]
    pub fn machine(mut self, machine: TestMachine) -> Self {
        self.config.machines.push(machine);
        self
    }

    /// Allows a redirect URI, compared as a string (RFC 9700 §2.1). The default allows every `http` URI on loopback.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.config.redirect_uris.push(uri.into());
        self
    }

    /// Refuses passwords for e-mail addresses of a domain: these users must sign in with SSO over a connection.
    pub fn sso_domain(mut self, domain: impl Into<String>, connection_id: impl Into<String>) -> Self {
        self.config.sso_domains.push((domain.into(), connection_id.into()));
        self
    }

    /// Uses this clock, for the server and for the clients that it makes. The default shows the system's time and ticks.
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets how long access tokens are valid. The default is 5 minutes.
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.access_token_lifetime = lifetime;
        self
    }

    /// Sets how long authorization codes are valid. The default is 10 minutes.
    pub fn authorization_code_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.code_lifetime = lifetime;
        self
    }

    /// Sets the port of 127.0.0.1 that it listens on. The default is any free port, so that tests can run in parallel.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts the server on 127.0.0.1.
    ///
    /// # Errors
    /// Fails when the port isn't free, when no key could be generated, when a user is in one organization twice, when an API key
    /// has an unknown user, or when no client could be made, such as with an empty client ID.
    pub async fn start(mut self) -> io::Result<AuthKit> {
        if self.config.users.is_empty() {
            self.config.users.push(TestUser::new("ada@example.com").name("Ada", "Lovelace"));
        }
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let issuer = Issuer::new(base_url.clone()).map_err(io::Error::other)?;
        let config = Arc::new(self.config);
        let clock = self.clock.unwrap_or_else(|| ManualClock::ticking(SystemTime::now()));
        let client =
            client_builder(&config, &base_url, &clock).api_key(&config.api_key).build().map_err(io::Error::other)?;
        let mut state =
            State::new(Arc::clone(&config), base_url.clone(), clock.clone(), SigningKey::unused(&base_url)?);
        state.add_configured_memberships().map_err(|_| io::Error::other("a user is in one organization twice"))?;
        state.enroll_configured_factors().map_err(|_| io::Error::other("no factor could be enrolled"))?;
        state.add_configured_customer_keys().map_err(|_| io::Error::other("an API key has an unknown user"))?;
        let state = SharedState::new(state);
        let server = tokio::spawn(server::serve(listener, state.clone()));
        Ok(AuthKit { state, config, base_url, issuer, clock, client, server })
    }
}

impl fmt::Debug for AuthKitBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuthKitBuilder").field("users", &self.config.users).finish_non_exhaustive()
    }
}
