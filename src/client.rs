//! [`Client`] and its builder.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use crate::credentials::{ApiKeyOnly, Confidential, Credentials, HasClientId, Identity, NoCredentials, Public};
use crate::environment::{self, variable};
use crate::error::Error;
#[cfg(feature = "server")]
use crate::id::Issuer;
use crate::id::{BaseUrl, ClientId, JwksUrl};
use crate::runtime::Runtime;
use crate::sealed::INTERNAL;
use crate::secret::ApiKey;
use crate::transport::{Core, DEFAULT_CONNECT_TIMEOUT, DEFAULT_RETRIES, Transport};
use crate::wire;

const DEFAULT_BASE_URL: &str = "https://api.workos.com";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A client without an API key, for applications on a user's device: command line, desktop, mobile.
///
/// It can call [`authorize`](Client::authorize), [`device_authorization`](Client::device_authorization),
/// [`authenticate_with_refresh_token`](Client::authenticate_with_refresh_token) and
/// [`resume_login`](Client::resume_login), and with a user's SSO access token
/// [`with_access_token`](Client::with_access_token). It can't hold an API key, and never reads
/// `WORKOS_API_KEY`.
///
/// ```
/// use workos_auth::{PublicClient, RedirectUri};
///
/// let client = PublicClient::new("client_123")?; // or `from_env()?`
/// let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// assert!(login.url().as_str().starts_with("https://api.workos.com/user_management/authorize?"));
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub type PublicClient = Client<Public>;

/// A client with a client ID and an API key, for servers.
///
/// It can call every method. Its logins send both the client secret and the PKCE verifier.
///
/// ```
/// use workos_auth::{ConfidentialClient, EmailAddress, Password};
///
/// let client = ConfidentialClient::new("client_123", "sk_example")?; // or `from_env()?`
/// let grant = client.authenticate_with_password(EmailAddress::new("ada@example.com")?, Password::new("secret"));
/// // grant.send().await?
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub type ConfidentialClient = Client<Confidential>;

/// A client with only an API key: it can't sign users in. [`with_client_id`](Client#method.with_client_id-2) makes a
/// [`ConfidentialClient`] of it.
///
/// ```
/// use workos_auth::{ApiKeyClient, ClientId, ConfidentialClient};
///
/// let client = ApiKeyClient::new("sk_example")?;
/// let confidential: ConfidentialClient = client.with_client_id(ClientId::new("client_123")?);
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub type ApiKeyClient = Client<ApiKeyOnly>;

/// A WorkOS client whose type says what it holds: a [`PublicClient`], a [`ConfidentialClient`] or an [`ApiKeyClient`].
///
/// Cloning is cheap, and clones share the connections. Requests need a tokio runtime with its timer enabled.
///
/// ```
/// use workos_auth::typestate::HasClientId;
/// use workos_auth::{Client, ConfidentialClient, PublicClient};
///
/// // Of every client that can sign users in:
/// fn name<K: HasClientId>(client: &Client<K>) -> &str {
///     client.client_id().as_str()
/// }
///
/// assert_eq!(name(&PublicClient::new("client_123")?), "client_123");
/// assert_eq!(name(&ConfidentialClient::new("client_123", "sk_example")?), "client_123");
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub struct Client<K> {
    pub(crate) credentials: Arc<K>,
    pub(crate) core: Arc<Core>,
}

/// # Building
impl Client<NoCredentials> {
    /// Starts building a client.
    ///
    /// ```
    /// use workos_auth::{Client, ConfidentialClient, PublicClient};
    ///
    /// let public: PublicClient = Client::builder().client_id("client_123").build()?;
    /// let confidential: ConfidentialClient =
    ///     Client::builder().client_id("client_123").api_key("sk_example").build()?;
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    pub fn builder() -> ClientBuilder<NoCredentials> {
        ClientBuilder { credentials: Ok(NoCredentials), settings: Settings::default() }
    }
}

/// # Public clients
impl Client<Public> {
    /// A public client of the WorkOS API.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `client_id`.
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub fn new(client_id: impl Into<String>) -> Result<Self, Error> {
        Client::builder().client_id(client_id).build()
    }

    /// A client with another client ID, for one call or for longer. It shares the connections.
    #[must_use]
    pub fn with_client_id(&self, client_id: ClientId) -> PublicClient {
        self.holding(Public { client_id })
    }
}

/// # Confidential clients
impl Client<Confidential> {
    /// A confidential client of the WorkOS API.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `client_id` or `api_key`.
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub fn new(client_id: impl Into<String>, api_key: impl Into<String>) -> Result<Self, Error> {
        Client::builder().client_id(client_id).api_key(api_key).build()
    }

    /// A client with another client ID, for one call or for longer. It shares the connections.
    #[must_use]
    pub fn with_client_id(&self, client_id: ClientId) -> ConfidentialClient {
        self.holding(Confidential { client_id, api_key: self.credentials.api_key.clone() })
    }

    /// A client with another API key, for rotation. It shares the connections.
    #[must_use]
    pub fn with_api_key(&self, api_key: ApiKey) -> ConfidentialClient {
        self.holding(Confidential { client_id: self.credentials.client_id.clone(), api_key })
    }
}

/// # Clients with only an API key
impl Client<ApiKeyOnly> {
    /// A client of the WorkOS API that holds an API key and no client ID.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `api_key`.
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub fn new(api_key: impl Into<String>) -> Result<Self, Error> {
        Client::builder().api_key(api_key).build()
    }

    /// A confidential client with this API key and a client ID, which can sign users in. It shares the connections.
    #[must_use]
    pub fn with_client_id(&self, client_id: ClientId) -> ConfidentialClient {
        self.holding(Confidential { client_id, api_key: self.credentials.api_key.clone() })
    }

    /// A client with another API key, for rotation. It shares the connections.
    #[must_use]
    pub fn with_api_key(&self, api_key: ApiKey) -> ApiKeyClient {
        self.holding(ApiKeyOnly { api_key })
    }
}

/// # From the environment
impl<K: Credentials> Client<K> {
    /// Reads what this kind of client holds, `WORKOS_BASE_URL` if that is set, and the [proxy](ClientBuilder::proxy_from_env).
    ///
    /// | client | reads |
    /// | --- | --- |
    /// | [`PublicClient`] | `WORKOS_CLIENT_ID`, never `WORKOS_API_KEY` |
    /// | [`ConfidentialClient`] | `WORKOS_CLIENT_ID` and `WORKOS_API_KEY` |
    /// | [`ApiKeyClient`] | `WORKOS_API_KEY` |
    ///
    /// ```no_run
    /// use workos_auth::PublicClient;
    ///
    /// let client = PublicClient::from_env()?;
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::MissingVariable`](crate::ErrorKind::MissingVariable) or
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming the field.
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub fn from_env() -> Result<Self, Error> {
        let credentials = K::read(environment::client_id, environment::api_key, INTERNAL);
        let builder = ClientBuilder { credentials, settings: Settings::default() };
        builder.base_url_from_env().proxy_from_env().build()
    }
}

/// # The client ID
impl<K> Client<K> {
    /// The client ID.
    #[must_use]
    pub fn client_id(&self) -> &ClientId
    where
        K: HasClientId,
    {
        self.credentials.identity(INTERNAL).client_id
    }

    /// The URL of the keys that access tokens are signed with (RFC 7517 §5), for a gateway or another library that verifies
    /// tokens. In this process, use [`verifier`](Self::verifier), which fetches the keys itself.
    ///
    /// ```
    /// let client = workos_auth::PublicClient::new("client_123")?;
    /// assert_eq!(client.jwks_url().as_str(), "https://api.workos.com/sso/jwks/client_123");
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    #[must_use]
    pub fn jwks_url(&self) -> JwksUrl
    where
        K: HasClientId,
    {
        wire::jwks_url(&self.core.base_url, self.client_id())
    }
}

/// # Every client
impl<K> Client<K> {
    /// The URL of the API, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.core.base_url.as_str()
    }

    /// A client as another process has it: with the same settings and connections, but with keys and refreshes of its own.
    #[cfg(feature = "testing")]
    pub(crate) fn separate(&self) -> Self {
        Self { credentials: Arc::clone(&self.credentials), core: Arc::new(self.core.separate()) }
    }

    pub(crate) fn holding<L>(&self, credentials: L) -> Client<L> {
        Client { credentials: Arc::new(credentials), core: Arc::clone(&self.core) }
    }
}

impl<K> Clone for Client<K> {
    fn clone(&self) -> Self {
        Self { credentials: Arc::clone(&self.credentials), core: Arc::clone(&self.core) }
    }
}

impl<K: fmt::Debug> fmt::Debug for Client<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("credentials", &self.credentials)
            .field("base_url", &self.core.base_url.as_str())
            .finish_non_exhaustive()
    }
}

/// A client, and the function that identifies it in a request body. Where one is made, the client must have a client ID, so that
/// the values of a login need no such bound again, and those of a public client can't hold a key.
///
/// It is public only because sealed traits name it; code outside this crate can't make one.
#[allow(missing_debug_implementations, reason = "each type that holds it has its own")]
pub struct Caller<K> {
    pub(crate) client: Client<K>,
    identify: fn(&K, crate::sealed::Internal) -> Identity<'_>,
}

impl<K> Clone for Caller<K> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), identify: self.identify }
    }
}

impl<K> Caller<K> {
    pub(crate) fn new(client: &Client<K>) -> Self
    where
        K: HasClientId,
    {
        Self { client: client.clone(), identify: K::identity }
    }

    pub(crate) fn identity(&self) -> Identity<'_> {
        (self.identify)(&self.client.credentials, INTERNAL)
    }
}

/// Builds a [`Client`]. Its type parameter is the credentials that are set so far.
///
/// Setters take raw values; only [`build`](Self::build) fails.
///
/// ```
/// use std::time::Duration;
///
/// use workos_auth::Client;
///
/// let client = Client::builder()
///     .client_id("client_123")
///     .app_name("my-app/1.2")
///     .timeout(Duration::from_secs(10))
///     .build()?;
/// # Ok::<_, workos_auth::Error>(())
/// ```
#[must_use = "a builder does nothing until `build()`"]
pub struct ClientBuilder<K> {
    credentials: Result<K, Error>,
    settings: Settings,
}

struct Settings {
    base_url: Result<String, Error>,
    app_name: Option<String>,
    connect_timeout: Duration,
    timeout: Duration,
    retries: u32,
    #[cfg(feature = "reqwest")]
    http: reqwest::ClientBuilder,
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    proxy: Result<Option<environment::Proxy>, Error>,
    #[cfg(feature = "testing")]
    clock: Option<Arc<dyn crate::runtime::Clock>>,
    #[cfg(feature = "testing")]
    random: Option<Arc<dyn crate::runtime::Random>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: Ok(DEFAULT_BASE_URL.to_owned()),
            app_name: None,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            timeout: DEFAULT_TIMEOUT,
            retries: DEFAULT_RETRIES,
            #[cfg(feature = "reqwest")]
            // By default it would read the environment.
            http: reqwest::Client::builder().no_proxy(),
            #[cfg(any(feature = "hyper", feature = "reqwest"))]
            proxy: Ok(None),
            #[cfg(feature = "testing")]
            clock: None,
            #[cfg(feature = "testing")]
            random: None,
        }
    }
}

/// # The client ID and the API key
impl ClientBuilder<NoCredentials> {
    /// The client ID of the application.
    pub fn client_id(self, client_id: impl Into<String>) -> ClientBuilder<Public> {
        let client_id = ClientId::new(client_id);
        self.holding(|_| Ok(Public { client_id: client_id? }))
    }

    /// The client ID from `WORKOS_CLIENT_ID`.
    pub fn client_id_from_env(self) -> ClientBuilder<Public> {
        self.holding(|_| Ok(Public { client_id: environment::client_id()? }))
    }

    /// The API key of the application.
    pub fn api_key(self, api_key: impl Into<String>) -> ClientBuilder<ApiKeyOnly> {
        let api_key = ApiKey::new(api_key);
        self.holding(|_| Ok(ApiKeyOnly { api_key: api_key? }))
    }

    /// The API key from `WORKOS_API_KEY`.
    pub fn api_key_from_env(self) -> ClientBuilder<ApiKeyOnly> {
        self.holding(|_| Ok(ApiKeyOnly { api_key: environment::api_key()? }))
    }
}

impl ClientBuilder<Public> {
    /// The API key of the application, which makes it a confidential client.
    pub fn api_key(self, api_key: impl Into<String>) -> ClientBuilder<Confidential> {
        let api_key = ApiKey::new(api_key);
        self.holding(|Public { client_id }| Ok(Confidential { client_id, api_key: api_key? }))
    }

    /// The API key from `WORKOS_API_KEY`, which makes it a confidential client.
    pub fn api_key_from_env(self) -> ClientBuilder<Confidential> {
        self.holding(|Public { client_id }| Ok(Confidential { client_id, api_key: environment::api_key()? }))
    }
}

impl ClientBuilder<ApiKeyOnly> {
    /// The client ID of the application, which makes it a confidential client.
    pub fn client_id(self, client_id: impl Into<String>) -> ClientBuilder<Confidential> {
        let client_id = ClientId::new(client_id);
        self.holding(|ApiKeyOnly { api_key }| Ok(Confidential { client_id: client_id?, api_key }))
    }

    /// The client ID from `WORKOS_CLIENT_ID`, which makes it a confidential client.
    pub fn client_id_from_env(self) -> ClientBuilder<Confidential> {
        self.holding(|ApiKeyOnly { api_key }| Ok(Confidential { client_id: environment::client_id()?, api_key }))
    }
}

/// # Settings
impl<K> ClientBuilder<K> {
    /// The URL of the API; `https://api.workos.com` unless given. Plain http is allowed for loopback only.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.settings.base_url = Ok(base_url.into());
        self
    }

    /// The base URL from `WORKOS_BASE_URL`, if that is set.
    pub fn base_url_from_env(mut self) -> Self {
        match variable("WORKOS_BASE_URL") {
            Ok(Some(base_url)) => self.settings.base_url = Ok(base_url),
            Ok(None) => {}
            Err(error) => self.settings.base_url = Err(error),
        }
        self
    }

    /// How long making a connection may take; 10 s unless given. Only [`build`](Self::build) reads it.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long one attempt may take, from connecting to the last byte of the reply; 30 s unless given.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The maximum number of retries of a request; 3 unless given, and 0 means no retries.
    ///
    /// It doesn't change what may be retried: an authorization code whose outcome is unknown is never sent again. A refresh whose
    /// outcome is unknown is retried for as long as the API answers with the same pair, whatever this number, unless it is 0.
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// The name and version of the application, added to the `User-Agent`: `my-app/1.2`.
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.settings.app_name = Some(name.into());
        self
    }

    /// Uses the proxy of `HTTPS_PROXY`, or else of `ALL_PROXY`, if one is set, except for the hosts of `NO_PROXY`. Names in lower
    /// case are read where those in upper case aren't set.
    ///
    /// Without this method these variables are ignored, and they are always ignored for a loopback base URL. The proxy has an http
    /// or https address. It sees only the name of the API's host, since TLS goes through it.
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub fn proxy_from_env(mut self) -> Self {
        self.settings.proxy = environment::proxy();
        self
    }

    /// Configures the HTTP client: a proxy, root certificates, DNS. The application needs `reqwest` 0.13 itself for that.
    ///
    /// The given builder has no proxy, also where the environment names one; a builder that replaces it has the defaults of
    /// `reqwest`. Redirects, retries and the `Referer` header are switched off afterwards, and so are proxies for a loopback base
    /// URL.
    ///
    /// ```
    /// # fn run(pem: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// use workos_auth::Client;
    ///
    /// let authority = reqwest::Certificate::from_pem(pem)?;
    /// let client = Client::builder()
    ///     .client_id("client_123")
    ///     .http_client(|http| http.tls_certs_merge([authority]))
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "reqwest")]
    pub fn http_client(mut self, configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Self {
        self.settings.http = configure(self.settings.http);
        self
    }

    /// A clock for tests; the client then refuses any base URL that isn't loopback.
    #[cfg(feature = "testing")]
    pub fn clock(mut self, clock: crate::testing::ManualClock) -> Self {
        self.settings.clock = Some(Arc::new(clock));
        self
    }

    /// Reproducible randomness for tests; the client then refuses any base URL that isn't loopback.
    #[cfg(feature = "testing")]
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.settings.random = Some(Arc::new(crate::testing::SeededRandom::new(seed)));
        self
    }
}

/// # Finishing
impl<K> ClientBuilder<K> {
    /// Builds the client with the crate's own HTTP client: `reqwest` where the feature `reqwest` is on, and else `hyper`. Both keep the
    /// same rules.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming the first refused field,
    /// [`ErrorKind::MissingVariable`](crate::ErrorKind::MissingVariable),
    /// [`ErrorKind::NoAuthorities`](crate::ErrorKind::NoAuthorities), or
    /// [`ErrorKind::HttpClient`](crate::ErrorKind::HttpClient).
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub fn build(self) -> Result<Client<K>, Error>
    where
        K: Credentials,
    {
        let credentials = Arc::new(self.credentials?);
        Ok(Client { credentials, core: self.settings.core()? })
    }

    /// Builds the client with another [`Transport`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming the first refused field, or
    /// [`ErrorKind::MissingVariable`](crate::ErrorKind::MissingVariable).
    pub fn build_with(self, transport: impl Transport) -> Result<Client<K>, Error>
    where
        K: Credentials,
    {
        let credentials = Arc::new(self.credentials?);
        Ok(Client { credentials, core: self.settings.core_with(|_| Ok(transport))? })
    }

    fn holding<L>(self, credentials: impl FnOnce(K) -> Result<L, Error>) -> ClientBuilder<L> {
        ClientBuilder { credentials: self.credentials.and_then(credentials), settings: self.settings }
    }
}

/// What sends the requests to an issuer, with these settings. The issuer is the base URL.
#[cfg(feature = "server")]
impl ClientBuilder<NoCredentials> {
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub(crate) fn core_of(mut self, issuer: &Issuer) -> Result<Arc<Core>, Error> {
        self.settings.base_url = Ok(issuer.to_string());
        self.settings.core()
    }

    pub(crate) fn core_of_with(mut self, issuer: &Issuer, transport: impl Transport) -> Result<Arc<Core>, Error> {
        self.settings.base_url = Ok(issuer.to_string());
        self.settings.core_with(|_| Ok(transport))
    }
}

impl Settings {
    /// With the crate's own HTTP client.
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    fn core(mut self) -> Result<Arc<Core>, Error> {
        #[cfg(feature = "reqwest")]
        let http = std::mem::take(&mut self.http);
        let proxy = std::mem::replace(&mut self.proxy, Ok(None));
        let connect_timeout = self.connect_timeout;
        self.core_with(|base_url| {
            // A proxy would see the plain text of requests to loopback.
            let proxy = if base_url.is_loopback() { None } else { proxy? };
            #[cfg(feature = "reqwest")]
            {
                let http = if base_url.is_loopback() { http.no_proxy() } else { http };
                // Without TLS no authority is needed, and to read those of the platform takes a debug build longer than a login.
                let http = if base_url.has_tls() { http } else { http.tls_certs_only([]) };
                crate::transport::reqwest::ReqwestTransport::new(http, connect_timeout, proxy)
            }
            #[cfg(not(feature = "reqwest"))]
            crate::transport::HyperTransport::builder().connect_timeout(connect_timeout).proxy(Ok(proxy)).build()
        })
    }

    fn core_with<T: Transport>(self, transport: impl FnOnce(&BaseUrl) -> Result<T, Error>) -> Result<Arc<Core>, Error> {
        let base_url = BaseUrl::parse(&self.base_url?)?;
        if self.connect_timeout.is_zero() {
            return Err(Error::invalid_value("connect_timeout", "must not be zero"));
        }
        if self.timeout.is_zero() {
            return Err(Error::invalid_value("timeout", "must not be zero"));
        }
        let user_agent = user_agent(self.app_name.as_deref())?;
        #[allow(unused_mut, reason = "only tests replace parts of it")]
        let mut runtime = Runtime::default();
        #[cfg(feature = "testing")]
        {
            if (self.clock.is_some() || self.random.is_some()) && !base_url.is_loopback() {
                return Err(Error::invalid_value(
                    "base_url",
                    "must be loopback when the clock or the randomness is injected",
                ));
            }
            runtime.clock = self.clock.unwrap_or(runtime.clock);
            runtime.random = self.random.unwrap_or(runtime.random);
        }
        let transport = transport(&base_url)?;
        Ok(Arc::new(Core::new(base_url, transport, user_agent, self.timeout, self.retries, runtime)))
    }
}

impl<K: fmt::Debug> fmt::Debug for ClientBuilder<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClientBuilder").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

fn user_agent(app_name: Option<&str>) -> Result<HeaderValue, Error> {
    const OURS: &str = concat!("workos-auth/", env!("CARGO_PKG_VERSION"));
    let refuse = |reason| Error::invalid_value("app_name", reason);
    match app_name {
        None => Ok(HeaderValue::from_static(OURS)),
        Some(name) if name.trim().is_empty() => Err(refuse("must not be empty")),
        Some(name) if !name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => Err(refuse("must be visible ASCII")),
        Some(name) => HeaderValue::from_str(&format!("{OURS} {name}")).map_err(|_| refuse("must be visible ASCII")),
    }
}
