//! The authorization code grant (RFC 6749 §4.1.3).

use std::fmt;

use super::outcome::{Authentication, Rejected};
use super::{RequestContext, authenticate};
use crate::client::Caller;
use crate::error::Error;
use crate::model::AuthenticationResponse;
use crate::pkce::Callback;
use crate::secret::{AuthorizationCode, CodeVerifier, InvitationToken};
use crate::transport::{Failure, Repeat};
use crate::wire::{self, AuthorizationCodeBody};

/// A code that is ready to be exchanged for tokens, once.
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

    /// Leaves an invitation out that the API refused, so that the user signs in without it.
    pub fn without_invitation(mut self) -> Self {
        self.invitation_token = None;
        self
    }

    /// Where the user's own request came from.
    pub fn context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }

    /// The ID that WorkOS Radar's browser script gave to this visit.
    pub fn signals_id(mut self, id: impl Into<String>) -> Self {
        self.signals_id = Some(id.into());
        self
    }

    /// Exchanges the code.
    ///
    /// # Errors
    /// The exchange comes back in [`Rejected`] when nothing was sent, when the API turned the request away unread (429),
    /// and when it refused something else than the code, such as the invitation. It doesn't after a code that ends the
    /// login, such as [`InvalidGrant`](crate::ErrorCode::InvalidGrant), nor when the outcome is unknown: a code must not
    /// arrive twice (RFC 6749 §4.1.2).
    pub async fn send(self) -> Result<Authentication<K>, Rejected<Self>> {
        let outcome = self.answer().await;
        outcome.map_err(|failure| failure.rejecting_code(self))
    }

    async fn answer(&self) -> Result<Authentication<K>, Failure> {
        let body = AuthorizationCodeBody {
            code: wire::text(&self.code),
            code_verifier: self.verifier.as_ref().map(wire::text),
            invitation_token: self.invitation_token.as_ref().map(wire::text),
            context: self.context.body(),
            signals_id: self.signals_id.as_deref(),
        };
        let answer = authenticate(&self.caller, "authorization_code", body, Repeat::Credential).await?;
        answer.finish(&self.caller, None)
    }
}

impl<K> fmt::Debug for CodeExchange<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CodeExchange").field("context", &self.context).finish_non_exhaustive()
    }
}

/// A code of the WorkOS dashboard's impersonation, ready to be exchanged.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct ImpersonationExchange<K> {
    exchange: CodeExchange<K>,
}

impl<K> ImpersonationExchange<K> {
    pub(crate) fn new(caller: Caller<K>, callback: Callback) -> Result<Self, Error> {
        let code = callback.into_code(None)?;
        Ok(Self { exchange: CodeExchange::new(caller, code) })
    }

    /// Exchanges the code, and throws the result away unless it carries an impersonator.
    ///
    /// # Errors
    /// [`ErrorKind::NotImpersonated`](crate::ErrorKind::NotImpersonated) for a login of any other kind; else as
    /// [`CodeExchange::send`].
    pub async fn send(self) -> Result<AuthenticationResponse, Rejected<Self>> {
        match self.exchange.send().await {
            Ok(Authentication::Complete(response)) if response.impersonator.is_some() => Ok(*response),
            Ok(_) => Err(Rejected::spent(Error::not_impersonated())),
            Err(rejected) => Err(rejected.map(|exchange| Self { exchange })),
        }
    }
}

impl<K> fmt::Debug for ImpersonationExchange<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ImpersonationExchange").finish_non_exhaustive()
    }
}
