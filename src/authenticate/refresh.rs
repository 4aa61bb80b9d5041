//! The refresh token grant (RFC 6749 §6).

use std::fmt;

use super::outcome::{Authentication, Rejected};
use super::{RequestContext, authenticate};
use crate::client::Caller;
use crate::error::ErrorCode;
use crate::id::OrganizationId;
use crate::secret::RefreshToken;
use crate::transport::Repeat;
use crate::wire::{self, RefreshTokenBody};

/// A refresh token that is ready to be exchanged for a new pair.
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

    /// Where the user's own request came from.
    pub fn context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }

    /// Takes the token back out, to keep it for later.
    #[must_use]
    pub fn into_token(self) -> RefreshToken {
        self.token
    }

    /// Exchanges the token. Where the reply carries no new refresh token, the old one stays in the response.
    ///
    /// # Errors
    /// The grant comes back in [`Rejected`] unless the API said that the token is dead (`invalid_grant`).
    /// Once an attempt's outcome is unknown, the same token is sent again and again for 25 s, since the API answers that with the
    /// same pair. What [`Error::replay_before`](crate::Error::replay_before) then says is how long that could help.
    ///
    /// A further step as the answer ends the session: WorkOS wants a new login. Dropping the future drops the token; where
    /// callers may be cancelled, spawn the refresh as a task of its own.
    pub async fn send(self) -> Result<Authentication<K>, Rejected<Self>> {
        let body = RefreshTokenBody {
            refresh_token: wire::text(&self.token),
            organization_id: self.organization_id.as_ref().map(OrganizationId::as_str),
            context: self.context.body(),
        };
        let answer = match authenticate(&self.caller, "refresh_token", body, Repeat::Refresh).await {
            Ok(answer) => answer,
            Err(failure) if failure.error.code() == Some(&ErrorCode::InvalidGrant) => {
                return Err(Rejected::spent(failure.error));
            }
            Err(failure) => return Err(Rejected::returning(failure.error, self)),
        };
        let Self { caller, token, .. } = self;
        answer.finish(&caller, Some(token)).map_err(|failure| Rejected::spent(failure.error))
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
