//! The Magic Auth grant of WorkOS: a code that was sent by e-mail, by a confidential client.

use std::fmt;

use super::outcome::{Authentication, Rejected};
use super::{RadarContext, RequestContext, authenticate};
use crate::client::Caller;
use crate::id::EmailAddress;
use crate::secret::{AuthorizationCode, InvitationToken, MagicAuthCode};
use crate::transport::{Failure, Repeat};
use crate::wire::{self, MagicAuthBody};

/// The code of a Magic Auth e-mail, ready to be sent.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct MagicAuthGrant<K> {
    caller: Caller<K>,
    code: MagicAuthCode,
    email: EmailAddress,
    invitation_token: Option<InvitationToken>,
    link_authorization_code: Option<AuthorizationCode>,
    context: RequestContext,
    radar: RadarContext,
}

impl<K> MagicAuthGrant<K> {
    pub(crate) fn new(caller: Caller<K>, code: MagicAuthCode, email: EmailAddress) -> Self {
        Self {
            caller,
            code,
            email,
            invitation_token: None,
            link_authorization_code: None,
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

    /// The code of an OAuth login whose identity is linked to this user.
    pub fn link_authorization_code(mut self, code: AuthorizationCode) -> Self {
        self.link_authorization_code = Some(code);
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

    /// Another code, for another try.
    pub fn code(mut self, code: MagicAuthCode) -> Self {
        self.code = code;
        self
    }

    /// Signs in.
    ///
    /// # Errors
    /// The grant comes back in [`Rejected`] unless the API refused it for good. After
    /// [`InvalidOneTimeCode`](crate::ErrorCode::InvalidOneTimeCode) or
    /// [`OneTimeCodeExpired`](crate::ErrorCode::OneTimeCodeExpired) it takes another [`code`](Self::code), after
    /// [`InvitationInvalid`](crate::ErrorCode::InvitationInvalid) it goes on [`without_invitation`](Self::without_invitation).
    pub async fn send(self) -> Result<Authentication<K>, Rejected<Self>> {
        let outcome = self.answer().await;
        outcome.map_err(|failure| failure.rejecting(self))
    }

    async fn answer(&self) -> Result<Authentication<K>, Failure> {
        let body = MagicAuthBody {
            code: wire::text(&self.code),
            email: self.email.as_str(),
            invitation_token: self.invitation_token.as_ref().map(wire::text),
            link_authorization_code: self.link_authorization_code.as_ref().map(wire::text),
            context: self.context.body(),
            radar: self.radar.body(),
        };
        let grant_type = "urn:workos:oauth:grant-type:magic-auth:code";
        authenticate(&self.caller, grant_type, body, Repeat::Credential).await?.finish(&self.caller, None)
    }
}

impl<K> fmt::Debug for MagicAuthGrant<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MagicAuthGrant").field("email", &self.email).finish_non_exhaustive()
    }
}
