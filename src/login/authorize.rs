//! The authorization URL, to which the browser is sent to sign in.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::pkce::{PkceSession, PlainSession};
use crate::client::{Caller, Client};
use crate::credentials::{HasClientId, IsConfidential};
use crate::error::Error;
use crate::id::{ConnectionId, OrganizationId, RedirectUri, ReturnPath};
use crate::model::Provider;
use crate::secret::InvitationToken;
use crate::wire::Parameters;

/// # Signing users in with the browser: needs a client ID
impl<K> Client<K> {
    /// Starts a login in the browser: the authorization code flow with PKCE (RFC 6749 §4.1, RFC 7636).
    ///
    /// ```
    /// use workos_auth::{PublicClient, RedirectUri};
    ///
    /// let client = PublicClient::new("client_123")?;
    /// let session = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
    /// assert!(session.url().as_str().starts_with("https://api.workos.com/user_management/authorize?"));
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    pub fn authorize(&self, redirect_uri: RedirectUri) -> AuthorizationBuilder<K, NoTarget>
    where
        K: HasClientId,
    {
        AuthorizationBuilder::new(Caller::new(self), redirect_uri)
    }
}

/// The screen of AuthKit that is shown first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScreenHint {
    /// The sign-up screen.
    SignUp,
    /// The sign-in screen.
    SignIn,
}

/// No target yet: the login can't begin.
#[derive(Debug)]
pub struct NoTarget;

/// The target is WorkOS's own sign-in page, AuthKit.
#[derive(Debug)]
pub struct AuthKitTarget;

/// The target is an OAuth provider.
#[derive(Debug)]
pub struct OAuthTarget;

/// The target is one SSO connection, or the connection of one organization.
#[derive(Debug)]
pub struct SsoTarget;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::AuthKitTarget {}
    impl Sealed for super::OAuthTarget {}
    impl Sealed for super::SsoTarget {}
}

/// The login has a target. Sealed.
#[diagnostic::on_unimplemented(
    message = "this login has no target yet, so it can't begin",
    label = "choose where the user signs in first",
    note = "call one of `.authkit()`, `.oauth(provider)`, `.connection(id)` or `.organization(id)` before `.begin()`"
)]
pub trait Target: sealed::Sealed {}

impl Target for AuthKitTarget {}
impl Target for OAuthTarget {}
impl Target for SsoTarget {}

/// The target is AuthKit. Sealed.
#[diagnostic::on_unimplemented(
    message = "only AuthKit's own sign-in page takes this setting",
    label = "the target of this login is not AuthKit",
    note = "call `.authkit()` instead of `.oauth(…)`, `.connection(…)` or `.organization(…)`, or leave the setting out"
)]
pub trait IsAuthKit: sealed::Sealed {}

impl IsAuthKit for AuthKitTarget {}

/// The target is an OAuth provider. Sealed.
#[diagnostic::on_unimplemented(
    message = "only an OAuth provider takes this setting",
    label = "the target of this login is not an OAuth provider",
    note = "call `.oauth(provider)` as the target, or leave the setting out"
)]
pub trait IsOAuth: sealed::Sealed {}

impl IsOAuth for OAuthTarget {}

/// The target is AuthKit or an OAuth provider, which can sign users in to any organization. Sealed.
#[diagnostic::on_unimplemented(
    message = "this target names the organization already",
    label = "the target of this login is an SSO connection, and it belongs to an organization",
    note = "call `.authkit()` or `.oauth(provider)` as the target, or leave the organization out"
)]
pub trait IsProvider: sealed::Sealed {}

impl IsProvider for AuthKitTarget {}
impl IsProvider for OAuthTarget {}

/// Builds the authorization URL of one login; made by [`Client::authorize`](crate::Client::authorize).
///
/// Choose a target first, then its settings, then call [`begin`](Self::begin). The parameters of the URL are sorted by name, so
/// that the URLs of equal logins differ only in their random parts.
#[must_use = "a login starts with `begin()`"]
pub struct AuthorizationBuilder<K, T> {
    caller: Caller<K>,
    redirect_uri: RedirectUri,
    parameters: Parameters,
    target: std::marker::PhantomData<T>,
}

impl<K> AuthorizationBuilder<K, NoTarget> {
    pub(crate) fn new(caller: Caller<K>, redirect_uri: RedirectUri) -> Self {
        Self { caller, redirect_uri, parameters: Parameters::default(), target: std::marker::PhantomData }
    }

    /// WorkOS's own sign-in page.
    pub fn authkit(self) -> AuthorizationBuilder<K, AuthKitTarget> {
        self.toward("provider", "authkit")
    }

    /// An OAuth provider, without a page of WorkOS before it.
    pub fn oauth(self, provider: Provider) -> AuthorizationBuilder<K, OAuthTarget> {
        self.toward("provider", provider.as_str().to_owned())
    }

    /// One SSO connection.
    pub fn connection(self, id: ConnectionId) -> AuthorizationBuilder<K, SsoTarget> {
        self.toward("connection_id", id.as_str().to_owned())
    }

    /// The SSO connection of one organization.
    pub fn organization(self, id: OrganizationId) -> AuthorizationBuilder<K, SsoTarget> {
        self.toward("organization_id", id.as_str().to_owned())
    }

    fn toward<T>(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> AuthorizationBuilder<K, T> {
        self.parameters.set(name, name, value);
        AuthorizationBuilder {
            caller: self.caller,
            redirect_uri: self.redirect_uri,
            parameters: self.parameters,
            target: std::marker::PhantomData,
        }
    }
}

/// # Settings of every target
impl<K, T> AuthorizationBuilder<K, T> {
    /// The domain whose SSO connection is looked up.
    pub fn domain_hint(self, domain: impl Into<String>) -> Self {
        self.with("domain_hint", domain)
    }

    /// The e-mail address that the user will probably sign in with.
    pub fn login_hint(self, email: impl Into<String>) -> Self {
        self.with("login_hint", email)
    }

    /// The invitation that this login redeems.
    pub fn invitation_token(mut self, token: InvitationToken) -> Self {
        self.parameters.invitation_token = Some(token);
        self
    }

    /// Where the user goes after the login. It is kept in the session, and isn't sent.
    pub fn return_path(mut self, path: ReturnPath) -> Self {
        self.parameters.return_path = Some(path);
        self
    }

    /// How the identity provider prompts the user: `login`, `consent` or `select_account`.
    pub fn prompt(self, prompt: impl Into<String>) -> Self {
        self.with("prompt", prompt)
    }

    /// A nonce that the tokens then have as a claim.
    pub fn claim_nonce(self, nonce: impl Into<String>) -> Self {
        self.with("claim_nonce", nonce)
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.set(name, name, value.into());
        self
    }
}

/// # Settings of `AuthKit`
impl<K, T> AuthorizationBuilder<K, T> {
    /// The screen that is shown first.
    pub fn screen_hint(self, hint: ScreenHint) -> Self
    where
        T: IsAuthKit,
    {
        self.with(
            "screen_hint",
            match hint {
                ScreenHint::SignUp => "sign-up",
                ScreenHint::SignIn => "sign-in",
            },
        )
    }

    /// The maximum time since the user last signed in, in whole seconds. With zero, the user always signs in again.
    pub fn max_age(self, age: Duration) -> Self
    where
        T: IsAuthKit,
    {
        self.with("max_age", age.as_secs().to_string())
    }
}

/// # Settings of `AuthKit` and of OAuth providers
impl<K, T> AuthorizationBuilder<K, T> {
    /// The organization that the user signs in to.
    pub fn in_organization(self, id: OrganizationId) -> Self
    where
        T: IsProvider,
    {
        self.with("organization_id", id.as_str())
    }
}

/// # Settings of OAuth providers
impl<K, T> AuthorizationBuilder<K, T> {
    /// Additional scopes to request from the provider (RFC 6749 §3.3).
    pub fn provider_scopes<S: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self
    where
        T: IsOAuth,
    {
        self.parameters.set_provider_scopes(scopes);
        self
    }

    /// A query parameter that is passed on to the provider, such as `hd`.
    pub fn provider_query_param(mut self, key: &str, value: impl Into<String>) -> Self
    where
        T: IsOAuth,
    {
        self.parameters.set_provider_query_param(key, value);
        self
    }
}

/// # Beginning
impl<K, T> AuthorizationBuilder<K, T> {
    /// Generates the verifier and the state, and makes the URL of them. Nothing is sent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming a refused setting, or
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness).
    pub fn begin(self) -> Result<PkceSession<K>, Error>
    where
        T: Target,
    {
        PkceSession::begin(self.caller, self.redirect_uri, self.parameters.checked()?)
    }

    /// Begins a login without PKCE, for a confidential client that can't keep a verifier. Only the API key and the state protect
    /// it: use [`begin`](Self::begin) where possible (RFC 9700 §2.1.1).
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn begin_without_pkce(self) -> Result<PlainSession<K>, Error>
    where
        T: Target,
        K: IsConfidential,
    {
        PlainSession::begin(self.caller, self.redirect_uri, self.parameters.checked()?)
    }
}

impl<K, T> fmt::Debug for AuthorizationBuilder<K, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuthorizationBuilder").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}
