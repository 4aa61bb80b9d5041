//! The authorization code grant (RFC 6749 §4.1.3).

use std::fmt;

use super::Callback;
use super::outcome::{Flow, LoginReply, NotSignedIn, authenticate, settle};
use crate::client::{Caller, Client};
use crate::credentials::IsConfidential;
use crate::error::Error;
use crate::model::{AuthenticationResponse, RequestContext};
use crate::rejected::Rejected;
use crate::sealed::Internal;
use crate::secret::{AuthorizationCode, CodeVerifier, InvitationToken};
use crate::transport::{Failure, RequestKind};
use crate::wire::{self, AuthorizationCodeBody};

/// # Signing users in with a code: needs a client ID and an API key
impl<K> Client<K> {
    /// Exchanges an authorization code (RFC 6749 §4.1.3), for an application that builds its own authorization URL. It keeps the
    /// `state`, and gets the code from [`Callback::code_for`](crate::Callback::code_for).
    ///
    /// A login that began with [`authorize`](Self::authorize) uses [`PkceSession::exchange`](crate::PkceSession::exchange) instead.
    pub fn authenticate_with_code(&self, code: AuthorizationCode) -> CodeExchange<K>
    where
        K: IsConfidential,
    {
        CodeExchange::new(Caller::new(self), code)
    }

    /// Accepts a login that an administrator started in the WorkOS dashboard to impersonate a user: its callback has no `state`.
    /// The result of any other login is discarded.
    ///
    /// # Errors
    /// [`ErrorKind::Callback`](crate::ErrorKind::Callback) when the callback has a `state` or an error.
    pub fn accept_impersonation(&self, callback: Callback) -> Result<ImpersonationExchange<K>, Error>
    where
        K: IsConfidential,
    {
        ImpersonationExchange::new(Caller::new(self), callback)
    }
}

/// An authorization code that is ready to be exchanged for tokens, once.
///
/// ```
/// # async fn run(exchange: workos_auth::CodeExchange<workos_auth::Public>) -> Result<(), workos_auth::Error> {
/// // What `session.exchange(callback)?` gives:
/// let response = exchange.send().await?;
/// println!("signed in as {}", response.user.email);
/// # Ok(()) }
/// ```
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct CodeExchange<K> {
    caller: Caller<K>,
    code: AuthorizationCode,
    verifier: Option<CodeVerifier>,
    invitation_token: Option<InvitationToken>,
    context: RequestContext,
    signals_id: Option<String>,
}

impl<K> CodeExchange<K> {
    pub(crate) fn new(caller: Caller<K>, code: AuthorizationCode) -> Self {
        Self { caller, code, verifier: None, invitation_token: None, context: RequestContext::new(), signals_id: None }
    }

    pub(crate) fn with_verifier(caller: Caller<K>, code: AuthorizationCode, verifier: CodeVerifier) -> Self {
        Self { verifier: Some(verifier), ..Self::new(caller, code) }
    }

    /// The invitation that this login redeems.
    pub fn invitation_token(mut self, token: InvitationToken) -> Self {
        self.invitation_token = Some(token);
        self
    }

    /// Removes the invitation, so that the user can sign in although the API refused it.
    pub fn without_invitation(mut self) -> Self {
        self.invitation_token = None;
        self
    }

    /// Where the user's request came from.
    pub fn context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }

    /// The ID that WorkOS Radar's browser script gave to this visit.
    pub fn signals_id(mut self, id: impl Into<String>) -> Self {
        self.signals_id = Some(id.into());
        self
    }

    /// Exchanges the code and so signs the user in.
    ///
    /// # Errors
    /// [`NotSignedIn`]: a further step, or a rejection. A rejection returns the exchange when nothing was sent, when the API
    /// didn't process the request (429), and when it refused something other than the code, such as the invitation. It doesn't
    /// return it after an error code that ends the login, such as [`InvalidGrant`](crate::ErrorCode::InvalidGrant), or when the
    /// outcome is unknown: an authorization code must not be used twice (RFC 6749 §4.1.2).
    pub async fn send(self) -> Result<AuthenticationResponse, NotSignedIn<Self>> {
        settle(self.request().await, self)
    }

    async fn request(&self) -> Result<LoginReply, Failure> {
        let body = AuthorizationCodeBody {
            code: wire::text(&self.code),
            code_verifier: self.verifier.as_ref().map(wire::text),
            invitation_token: self.invitation_token.as_ref().map(wire::text),
            context: self.context.body(),
            signals_id: self.signals_id.as_deref(),
        };
        authenticate(&self.caller, "authorization_code", body, RequestKind::CodeExchange).await
    }
}

impl<K> Flow for CodeExchange<K> {
    type Credentials = K;

    fn caller(&self, _: Internal) -> &Caller<K> {
        &self.caller
    }
}

impl<K> fmt::Debug for CodeExchange<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CodeExchange").field("context", &self.context).finish_non_exhaustive()
    }
}

/// The code of an impersonation from the WorkOS dashboard, ready to be exchanged.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct ImpersonationExchange<K> {
    exchange: CodeExchange<K>,
}

impl<K> ImpersonationExchange<K> {
    pub(crate) fn new(caller: Caller<K>, callback: Callback) -> Result<Self, Error> {
        let code = callback.code_without_state()?;
        Ok(Self { exchange: CodeExchange::new(caller, code) })
    }

    /// Exchanges the code, and discards the result unless it has an impersonator.
    ///
    /// # Errors
    /// [`ErrorKind::NotImpersonated`](crate::ErrorKind::NotImpersonated) for any other login; otherwise as
    /// [`CodeExchange::send`].
    pub async fn send(self) -> Result<AuthenticationResponse, Rejected<Self>> {
        match self.exchange.send().await {
            Ok(response) if response.impersonator.is_some() => Ok(response),
            Ok(_) | Err(NotSignedIn::Step(_)) => Err(Rejected::spent(Error::not_impersonated())),
            Err(NotSignedIn::Rejected(rejected)) => Err(rejected.map(|exchange| Self { exchange })),
        }
    }
}

impl<K> fmt::Debug for ImpersonationExchange<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ImpersonationExchange").finish_non_exhaustive()
    }
}
