//! SSO without AuthKit: the result is a profile, without a user and a session.
//!
//! This is for applications that use WorkOS only for SSO. Those with AuthKit's users sign in with
//! [`Client::authorize`], whose logins go over SSO as well.
//!
//! | type | what it is |
//! | --- | --- |
//! | [`SsoAuthorization`] | the login's settings; made by [`Client::authorize_sso`] for a [`ConnectionSelector`] |
//! | [`SsoSession`] | a login whose user is at the identity provider |
//! | [`SsoExchange`] | a checked callback, ready to be exchanged |
//! | [`SsoLogin`] | what it brings: a [`Profile`] and an access token for it |
//! | [`UnverifiedEmail`] | the profile's address, which the identity provider claims |
//! | [`AccessTokenClient`] | gets the profile of an access token |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::api::ApiRequest;
use crate::client::{Caller, Client};
use crate::credentials::{Identity, IsConfidential};
use crate::error::Error;
use crate::id::{ConnectionId, OrganizationId, RedirectUri, ReturnPath};
use crate::login::parking::sealed::{Packed, Sealed as Park};
use crate::login::parking::{self, Parkable, Parking};
use crate::login::{Callback, PkceSession};
pub use crate::model::{ConnectionType, Profile, UnverifiedEmail};
use crate::model::{OAuthTokens, Provider};
use crate::rejected::Rejected;
use crate::sealed::{INTERNAL, Internal};
use crate::secret::{AuthorizationCode, AuthorizationUrl, CodeVerifier, SsoAccessToken};
use crate::transport::{self, Body, Call, Core, Failure, RequestKind};
use crate::wire::{self, Parameters, SsoTokenBody};

/// # SSO without `AuthKit`
impl<K> Client<K> {
    /// Starts an SSO login whose result is a [`Profile`] (`GET /sso/authorize`), with PKCE and state.
    ///
    /// ```
    /// use workos_auth::{ConfidentialClient, OrganizationId, RedirectUri};
    ///
    /// let client = ConfidentialClient::new("client_123", "sk_example")?;
    /// let redirect = RedirectUri::new("https://example.com/sso/callback")?;
    /// let session = client.authorize_sso(redirect, OrganizationId::new("org_123")?).begin()?;
    /// assert!(session.url().as_str().starts_with("https://api.workos.com/sso/authorize?"));
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    pub fn authorize_sso(
        &self,
        redirect_uri: RedirectUri,
        selector: impl Into<ConnectionSelector>,
    ) -> SsoAuthorization<K>
    where
        K: IsConfidential,
    {
        let mut parameters = Parameters::default();
        parameters.sso = true;
        match selector.into() {
            ConnectionSelector::Connection(id) => parameters.set("connection", "connection", id.as_str().to_owned()),
            ConnectionSelector::Organization(id) => {
                parameters.set("organization", "organization", id.as_str().to_owned());
            }
            ConnectionSelector::Provider(provider) => {
                parameters.set("provider", "provider", provider.as_str().to_owned());
            }
        }
        SsoAuthorization { caller: Caller::new(self), redirect_uri, parameters }
    }

    /// Exchanges the code of an SSO login that has no [`SsoSession`]. Either the application built its own authorization URL, and the
    /// code comes from [`Callback::code_for`]; or the identity provider started the login, and the application accepts that with
    /// [`danger::code_without_state`](crate::danger::code_without_state).
    pub fn exchange_sso_code(&self, code: AuthorizationCode) -> SsoExchange<K>
    where
        K: IsConfidential,
    {
        SsoExchange { caller: Caller::new(self), code, verifier: None }
    }

    /// A client for the endpoint that a user's SSO access token opens. It sends only this token, never the API key.
    ///
    /// ```no_run
    /// # async fn run(client: workos_auth::PublicClient, token: workos_auth::secret::SsoAccessToken) -> Result<(), workos_auth::Error> {
    /// let profile = client.with_access_token(&token).profile().send().await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_access_token(&self, token: &SsoAccessToken) -> AccessTokenClient {
        AccessTokenClient { core: Arc::clone(&self.core), authorization: wire::bearer(token) }
    }
}

/// The connection that an SSO login uses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionSelector {
    /// This connection.
    Connection(ConnectionId),
    /// The connection of this organization.
    Organization(OrganizationId),
    /// An OAuth provider.
    Provider(Provider),
}

impl From<ConnectionId> for ConnectionSelector {
    fn from(id: ConnectionId) -> Self {
        Self::Connection(id)
    }
}

impl From<OrganizationId> for ConnectionSelector {
    fn from(id: OrganizationId) -> Self {
        Self::Organization(id)
    }
}

impl From<Provider> for ConnectionSelector {
    fn from(provider: Provider) -> Self {
        Self::Provider(provider)
    }
}

/// Builds the authorization URL of one SSO login; made by [`Client::authorize_sso`].
#[must_use = "a login starts with `begin()`"]
pub struct SsoAuthorization<K> {
    caller: Caller<K>,
    redirect_uri: RedirectUri,
    parameters: Parameters,
}

impl<K> SsoAuthorization<K> {
    /// The domain to fill in on the sign-in page of the identity provider.
    pub fn domain_hint(self, domain: impl Into<String>) -> Self {
        self.with("domain_hint", domain)
    }

    /// The e-mail address that the user will probably sign in with.
    pub fn login_hint(self, email: impl Into<String>) -> Self {
        self.with("login_hint", email)
    }

    /// A nonce that is sent to the identity provider.
    pub fn nonce(self, nonce: impl Into<String>) -> Self {
        self.with("nonce", nonce)
    }

    /// Makes the user sign in at the identity provider again.
    pub fn prompt_login(self) -> Self {
        self.with("prompt", "login")
    }

    /// Additional scopes to request from an OAuth provider (RFC 6749 §3.3).
    pub fn provider_scopes<S: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.parameters.set_provider_scopes(scopes);
        self
    }

    /// A query parameter that is passed on to an OAuth provider, such as `hd`.
    pub fn provider_query_param(mut self, key: &str, value: impl Into<String>) -> Self {
        self.parameters.set_provider_query_param(key, value);
        self
    }

    /// Where the user goes after the login. It is kept in the session, and isn't sent.
    pub fn return_path(mut self, path: ReturnPath) -> Self {
        self.parameters.return_path = Some(path);
        self
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.set(name, name, value.into());
        self
    }

    /// Generates the verifier and the state, and makes the URL of them. Nothing is sent.
    ///
    /// # Errors
    /// As [`AuthorizationBuilder::begin`](crate::login::AuthorizationBuilder::begin).
    pub fn begin(self) -> Result<SsoSession<K>, Error> {
        PkceSession::begin(self.caller, self.redirect_uri, self.parameters.checked()?).map(SsoSession)
    }
}

impl<K> fmt::Debug for SsoAuthorization<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SsoAuthorization").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

/// An SSO login that waits for its callback; a [`PkceSession`] whose code is exchanged for a profile.
#[must_use = "the login ends when its session is dropped: send the browser to `url()`, then call `exchange(callback)`"]
pub struct SsoSession<K>(pub(crate) PkceSession<K>);

impl<K> SsoSession<K> {
    /// The URL to which the browser is sent.
    #[must_use]
    pub fn url(&self) -> &AuthorizationUrl {
        self.0.url()
    }

    /// Where the user goes after the login, as set when the login began.
    #[must_use]
    pub fn return_path(&self) -> Option<&ReturnPath> {
        self.0.return_path()
    }

    /// Checks the callback's state in constant time, and makes an exchange of the code and the verifier. Nothing is sent.
    ///
    /// # Errors
    /// As [`PkceSession::exchange`]; the session is returned.
    pub fn exchange(self, callback: Callback) -> Result<SsoExchange<K>, Rejected<Self>> {
        match callback.code_for(&self.0.login.state) {
            Ok(code) => Ok(SsoExchange { caller: self.0.login.caller, code, verifier: Some(self.0.verifier) }),
            Err(rejected) => Err(Rejected::returning(rejected.into(), self)),
        }
    }
}

impl<K> fmt::Debug for SsoSession<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SsoSession").finish_non_exhaustive()
    }
}

/// The code of an SSO login, which is ready to be exchanged, once.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct SsoExchange<K> {
    caller: Caller<K>,
    code: AuthorizationCode,
    verifier: Option<CodeVerifier>,
}

impl<K> SsoExchange<K> {
    /// Exchanges the code (`POST /sso/token`, RFC 6749 §4.1.3).
    ///
    /// # Errors
    /// As [`CodeExchange::send`](crate::CodeExchange::send); the exchange is returned unless its code was used up.
    pub async fn send(self) -> Result<SsoLogin, Rejected<Self>> {
        self.login().await.map_err(|failure| failure.rejecting(self))
    }

    async fn login(&self) -> Result<SsoLogin, Failure> {
        let call = self.call().map_err(Failure::unsent)?;
        self.caller.client.core.send(call).await.and_then(transport::read::<SsoTokenReply>).map(SsoLogin::from)
    }

    fn call(&self) -> Result<Call, Error> {
        let Identity { client_id, api_key } = self.caller.identity();
        let body = SsoTokenBody {
            client_id: client_id.as_str(),
            grant_type: "authorization_code",
            code: wire::text(&self.code),
            code_verifier: self.verifier.as_ref().map(wire::text),
            client_secret: api_key.map(wire::text),
        };
        Ok(Call {
            method: Method::POST,
            route: wire::SSO_TOKEN.into(),
            // The secret is in the body; a client must use one way only to authenticate (RFC 6749 §2.3).
            authorization: None,
            body: wire::body(&body).map(Body::Json)?,
            kind: RequestKind::CodeExchange,
        })
    }
}

impl<K> fmt::Debug for SsoExchange<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SsoExchange").finish_non_exhaustive()
    }
}

/// A finished SSO login.
#[derive(Debug)]
#[non_exhaustive]
pub struct SsoLogin {
    /// The user who signed in, according to the identity provider.
    pub profile: Profile,
    /// A token for [`AccessTokenClient::profile`] only. It is opaque, not a JWT.
    pub access_token: SsoAccessToken,
    /// How long the access token is valid, if the API says.
    pub expires_in: Option<Duration>,
    /// The tokens of the OAuth provider, if the environment is configured to return them.
    pub oauth_tokens: Option<OAuthTokens>,
}

/// The reply. The public type has no `Deserialize`, so that nothing else makes one.
#[derive(Deserialize)]
struct SsoTokenReply {
    profile: Profile,
    access_token: SsoAccessToken,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<Duration>,
    oauth_tokens: Option<OAuthTokens>,
}

impl From<SsoTokenReply> for SsoLogin {
    fn from(reply: SsoTokenReply) -> Self {
        let SsoTokenReply { profile, access_token, expires_in, oauth_tokens } = reply;
        Self { profile, access_token, expires_in, oauth_tokens }
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.map(crate::runtime::seconds))
}

/// Calls the endpoint that a user's SSO access token opens; made by [`Client::with_access_token`].
pub struct AccessTokenClient {
    core: Arc<Core>,
    authorization: Result<http::HeaderValue, Error>,
}

impl AccessTokenClient {
    /// Gets the profile of the token's user (`GET /sso/profile`).
    pub fn profile(&self) -> ApiRequest<Profile> {
        let call = self.authorization.clone().map(|authorization| Call {
            method: Method::GET,
            route: wire::SSO_PROFILE.into(),
            authorization: Some(authorization),
            body: Body::None,
            kind: RequestKind::Read,
        });
        ApiRequest::new(&self.core, call, transport::read)
    }
}

impl fmt::Debug for AccessTokenClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessTokenClient").finish_non_exhaustive()
    }
}

#[diagnostic::do_not_recommend]
impl<K: IsConfidential> Parkable for SsoSession<K> {}

impl<K> Park for SsoSession<K> {
    type Credentials = K;
    const KIND: &'static str = "sso_login";

    fn caller(&self, _: Internal) -> &Caller<K> {
        Park::caller(&self.0, INTERNAL)
    }

    fn redirect_uri(&self, _: Internal) -> Option<&RedirectUri> {
        Park::redirect_uri(&self.0, INTERNAL)
    }

    fn pack(&self, _: Internal) -> Packed<'_> {
        self.0.pack(INTERNAL)
    }

    fn unpack(caller: Caller<K>, secrets: &[&str], details: Value, _: Internal) -> Option<Self> {
        PkceSession::unpack(caller, secrets, details, INTERNAL).map(Self)
    }
}

/// # SSO logins that were parked
impl Parking {
    /// Resumes an SSO login, for the handler of its callback.
    ///
    /// # Errors
    /// As [`resume_login`](Self::resume_login).
    pub fn resume_sso_login<K>(
        &self,
        client: &Client<K>,
        redirect_uri: &RedirectUri,
        sealed: &str,
    ) -> Result<SsoSession<K>, Error>
    where
        K: IsConfidential,
    {
        parking::open(client, Some(redirect_uri), &self.passwords(), sealed)
    }
}
