//! The password grant of WorkOS: a confidential client signs a user in with an e-mail address and a password.

use std::fmt;

use super::outcome::{Flow, LoginReply, NotSignedIn, authenticate, settle};
use crate::client::{Caller, Client};
use crate::credentials::IsConfidential;
use crate::id::EmailAddress;
use crate::model::{AuthenticationResponse, RadarContext, RequestContext};
use crate::sealed::Internal;
use crate::secret::{InvitationToken, Password};
use crate::transport::{Failure, RequestKind};
use crate::wire::{self, PasswordBody};

/// # Signing users in with a password: needs a client ID and an API key
impl<K> Client<K> {
    /// Signs in with an e-mail address and a password.
    ///
    /// ```no_run
    /// # async fn run(client: workos_auth::ConfidentialClient) -> Result<(), workos_auth::Error> {
    /// use workos_auth::{EmailAddress, Password};
    ///
    /// let email = EmailAddress::new("ada@example.com")?;
    /// let response = client.authenticate_with_password(email, Password::new("from the form")).send().await?;
    /// println!("hello, {}", response.user.email);
    /// # Ok(()) }
    /// ```
    pub fn authenticate_with_password(&self, email: EmailAddress, password: Password) -> PasswordGrant<K>
    where
        K: IsConfidential,
    {
        PasswordGrant::new(Caller::new(self), email, password)
    }
}

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

    /// What WorkOS Radar knows about this visit.
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
    /// [`NotSignedIn`]: a further step, or a rejection. A rejection returns the grant unless the refusal is final. After
    /// [`InvalidCredentials`](crate::ErrorCode::InvalidCredentials) set another [`password`](Self::password); after
    /// [`InvitationInvalid`](crate::ErrorCode::InvitationInvalid), call [`without_invitation`](Self::without_invitation).
    pub async fn send(self) -> Result<AuthenticationResponse, NotSignedIn<Self>> {
        settle(self.request().await, self)
    }

    async fn request(&self) -> Result<LoginReply, Failure> {
        let body = PasswordBody {
            email: self.email.as_str(),
            password: wire::text(&self.password),
            invitation_token: self.invitation_token.as_ref().map(wire::text),
            context: self.context.body(),
            radar: self.radar.body(),
        };
        authenticate(&self.caller, "password", body, RequestKind::Credential).await
    }
}

impl<K> Flow for PasswordGrant<K> {
    type Credentials = K;

    fn caller(&self, _: Internal) -> &Caller<K> {
        &self.caller
    }
}

impl<K> fmt::Debug for PasswordGrant<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PasswordGrant").field("email", &self.email).finish_non_exhaustive()
    }
}
