//! The Magic Auth grant of WorkOS: a confidential client signs a user in with a code that was sent by e-mail.

use std::fmt;

use super::outcome::{Flow, LoginReply, NotSignedIn, authenticate, settle};
use crate::client::{Caller, Client};
use crate::credentials::IsConfidential;
use crate::id::EmailAddress;
use crate::model::{AuthenticationResponse, RadarContext, RequestContext};
use crate::sealed::Internal;
use crate::secret::{AuthorizationCode, InvitationToken, MagicAuthCode};
use crate::transport::{Failure, RequestKind};
use crate::wire::{self, MagicAuthBody};

/// # Signing users in with Magic Auth: needs a client ID and an API key
impl<K> Client<K> {
    /// Signs in with the code of a Magic Auth e-mail.
    pub fn authenticate_with_magic_auth(&self, code: MagicAuthCode, email: EmailAddress) -> MagicAuthGrant<K>
    where
        K: IsConfidential,
    {
        MagicAuthGrant::new(Caller::new(self), code, email)
    }
}

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

    /// Removes the invitation, so that the user can sign in although the API refused it.
    pub fn without_invitation(mut self) -> Self {
        self.invitation_token = None;
        self
    }

    /// The code of an OAuth login, whose identity is linked to this user.
    pub fn link_authorization_code(mut self, code: AuthorizationCode) -> Self {
        self.link_authorization_code = Some(code);
        self
    }

    /// Where the user's request came from.
    pub fn context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }

    /// What WorkOS Radar knows about this visit.
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
    /// [`NotSignedIn`]: a further step, or a rejection. A rejection returns the grant unless the refusal is final. After
    /// [`InvalidOneTimeCode`](crate::ErrorCode::InvalidOneTimeCode) or
    /// [`OneTimeCodeExpired`](crate::ErrorCode::OneTimeCodeExpired) set another [`code`](Self::code); after
    /// [`InvitationInvalid`](crate::ErrorCode::InvitationInvalid), call [`without_invitation`](Self::without_invitation).
    pub async fn send(self) -> Result<AuthenticationResponse, NotSignedIn<Self>> {
        settle(self.request().await, self)
    }

    async fn request(&self) -> Result<LoginReply, Failure> {
        let body = MagicAuthBody {
            code: wire::text(&self.code),
            email: self.email.as_str(),
            invitation_token: self.invitation_token.as_ref().map(wire::text),
            link_authorization_code: self.link_authorization_code.as_ref().map(wire::text),
            context: self.context.body(),
            radar: self.radar.body(),
        };
        let grant_type = "urn:workos:oauth:grant-type:magic-auth:code";
        authenticate(&self.caller, grant_type, body, RequestKind::Credential).await
    }
}

impl<K> Flow for MagicAuthGrant<K> {
    type Credentials = K;

    fn caller(&self, _: Internal) -> &Caller<K> {
        &self.caller
    }
}

impl<K> fmt::Debug for MagicAuthGrant<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MagicAuthGrant").field("email", &self.email).finish_non_exhaustive()
    }
}
