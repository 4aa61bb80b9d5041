//! The refresh token grant (RFC 6749 §6).

use std::fmt;

use super::outcome::{Flow, LoginReply, NotSignedIn, authenticate, settle};
use crate::client::{Caller, Client};
use crate::credentials::HasClientId;
use crate::id::OrganizationId;
use crate::model::{AuthenticationResponse, RequestContext};
use crate::sealed::Internal;
use crate::secret::RefreshToken;
use crate::transport::{Failure, RequestKind};
use crate::wire::{self, RefreshTokenBody};

/// # Refreshing: needs a client ID
impl<K> Client<K> {
    /// Exchanges a refresh token for the next token pair (RFC 6749 §6).
    ///
    /// ```no_run
    /// # async fn run(client: workos_auth::PublicClient) -> Result<(), workos_auth::Error> {
    /// use workos_auth::RefreshToken;
    ///
    /// let token = RefreshToken::new("from the application's own session");
    /// let response = client.authenticate_with_refresh_token(token).send().await?;
    /// # Ok(()) }
    /// ```
    pub fn authenticate_with_refresh_token(&self, token: RefreshToken) -> RefreshGrant<K>
    where
        K: HasClientId,
    {
        RefreshGrant::new(Caller::new(self), token)
    }
}

/// A refresh token that is ready to be exchanged for the next token pair.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct RefreshGrant<K> {
    caller: Caller<K>,
    token: RefreshToken,
    organization_id: Option<OrganizationId>,
    context: RequestContext,
}

impl<K> RefreshGrant<K> {
    pub(crate) fn new(caller: Caller<K>, token: RefreshToken) -> Self {
        Self { caller, token, organization_id: None, context: RequestContext::new() }
    }

    /// Switches the session to another organization of the user.
    pub fn organization(mut self, id: OrganizationId) -> Self {
        self.organization_id = Some(id);
        self
    }

    /// Where the user's request came from.
    pub fn context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }

    /// Takes the token out again, to keep it for later.
    #[must_use]
    pub fn into_token(self) -> RefreshToken {
        self.token
    }

    /// Exchanges the token. If the reply has no new refresh token, the response has the old one.
    ///
    /// # Errors
    /// [`NotSignedIn`]: a step, which ends the session because WorkOS requires a new login, or a rejection. A rejection returns the
    /// grant unless the API said that the token is no longer valid (`invalid_grant`). When the outcome of an attempt is unknown, the
    /// same token is sent again for up to 25 s, because the API answers that with the same pair.
    /// [`Error::replay_before`](crate::Error::replay_before) then says how long another attempt can succeed.
    ///
    /// Dropping the future drops the token. If callers may be cancelled, spawn the refresh as its own task.
    pub async fn send(self) -> Result<AuthenticationResponse, NotSignedIn<Self>> {
        settle(self.request().await, self)
    }

    async fn request(&self) -> Result<LoginReply, Failure> {
        let body = RefreshTokenBody {
            refresh_token: wire::text(&self.token),
            organization_id: self.organization_id.as_ref().map(OrganizationId::as_str),
            context: self.context.body(),
        };
        authenticate(&self.caller, "refresh_token", body, RequestKind::Refresh).await
    }
}

impl<K> Flow for RefreshGrant<K> {
    type Credentials = K;

    fn caller(&self, _: Internal) -> &Caller<K> {
        &self.caller
    }

    fn into_refresh_token(self, _: Internal) -> Result<RefreshToken, Self> {
        Ok(self.token)
    }
}

impl<K> fmt::Debug for RefreshGrant<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RefreshGrant")
            .field("organization_id", &self.organization_id)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
