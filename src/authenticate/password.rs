//! The password grant of WorkOS: e-mail address and password, by a confidential client.

use std::fmt;

use super::outcome::{Authentication, Rejected};
use super::{RadarContext, RequestContext, authenticate};
use crate::client::Caller;
use crate::id::EmailAddress;
use crate::secret::{InvitationToken, Password};
use crate::transport::{Failure, Repeat};
use crate::wire::{self, PasswordBody};

/// An e-mail address and a password that are ready to be sent.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct PasswordGrant<K> {
    caller: Caller<K>,
    email: EmailAddress,
    password: Password,
    invitation_token: Option<InvitationToken>,
    context: RequestContext,
    radar: RadarContext,
}

impl<K> PasswordGrant<K> {
    pub(crate) fn new(caller: Caller<K>, email: EmailAddress, password: Password) -> Self {
        Self {
            caller,
            email,
            password,
            invitation_token: None,
            context: RequestContext::new(),
            radar: RadarContext::new(),
        }
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

    /// What WorkOS Radar knows of this visit.
    pub fn radar(mut self, radar: RadarContext) -> Self {
        self.radar = radar;
        self
    }

    /// Another password, for another try.
    pub fn password(mut self, password: Password) -> Self {
        self.password = password;
        self
    }

    /// Signs in.
    ///
    /// # Errors
    /// The grant comes back in [`Rejected`] unless the API refused it for good. After
    /// [`InvalidCredentials`](crate::ErrorCode::InvalidCredentials) it takes another [`password`](Self::password), after
    /// [`InvitationInvalid`](crate::ErrorCode::InvitationInvalid) it goes on [`without_invitation`](Self::without_invitation).
    pub async fn send(self) -> Result<Authentication<K>, Rejected<Self>> {
        let outcome = self.answer().await;
        outcome.map_err(|failure| failure.rejecting(self))
    }

    async fn answer(&self) -> Result<Authentication<K>, Failure> {
        let body = PasswordBody {
            email: self.email.as_str(),
            password: wire::text(&self.password),
            invitation_token: self.invitation_token.as_ref().map(wire::text),
            context: self.context.body(),
            radar: self.radar.body(),
        };
        authenticate(&self.caller, "password", body, Repeat::Credential).await?.finish(&self.caller, None)
    }
}

impl<K> fmt::Debug for PasswordGrant<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PasswordGrant").field("email", &self.email).finish_non_exhaustive()
    }
}
