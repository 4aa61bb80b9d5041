//! What a session is made of, and the session as this crate's own code handles it.

use serde::de::DeserializeOwned;

use crate::client::{Caller, Client};
use crate::credentials::HasClientId;
use crate::error::{Error, TokenError};
use crate::id::{OrganizationId, SessionId};
use crate::model::{AuthenticationMethod, AuthenticationResponse, Impersonator, User};
use crate::secret::{AccessToken, RefreshToken};
use crate::token::{self, NotVerified, TokenVerifier, VerifiedToken};
use crate::wire;

/// What a session is made of, for applications that keep it in their own store.
///
/// Nothing in it is verified: [`OpenedSession::check`](super::OpenedSession::check) does that.
#[derive(Debug)]
#[non_exhaustive]
pub struct SessionParts {
    /// Who signed in, as WorkOS said when the session was made or last refreshed.
    pub user: User,
    /// The access token, not verified.
    pub access_token: AccessToken,
    /// The single-use token that is exchanged for the next token pair.
    pub refresh_token: RefreshToken,
    /// The organization that the user signed in to.
    pub organization_id: Option<OrganizationId>,
    /// How the user signed in.
    pub authentication_method: Option<AuthenticationMethod>,
    /// The administrator who acts as the user.
    pub impersonator: Option<Impersonator>,
}

impl SessionParts {
    /// With the fields that every session has. Set the others as needed.
    #[must_use]
    pub fn new(user: User, access_token: AccessToken, refresh_token: RefreshToken) -> Self {
        Self {
            user,
            access_token,
            refresh_token,
            organization_id: None,
            authentication_method: None,
            impersonator: None,
        }
    }

    /// The same session for another holder in this process.
    pub(super) fn copy(&self) -> Self {
        Self {
            user: self.user.clone(),
            access_token: self.access_token.clone(),
            refresh_token: wire::clone_refresh_token(&self.refresh_token),
            organization_id: self.organization_id.clone(),
            authentication_method: self.authentication_method.clone(),
            impersonator: self.impersonator.clone(),
        }
    }
}

impl From<AuthenticationResponse> for SessionParts {
    fn from(response: AuthenticationResponse) -> Self {
        Self {
            user: response.user,
            access_token: response.access_token,
            refresh_token: response.refresh_token,
            organization_id: response.organization_id,
            authentication_method: response.authentication_method,
            impersonator: response.impersonator,
        }
    }
}

/// A session and the client it belongs to. The public types say which state it is in.
pub(super) struct Session<K> {
    pub(super) caller: Caller<K>,
    pub(super) parts: SessionParts,
}

impl<K> Session<K> {
    pub(super) fn new(client: &Client<K>, parts: SessionParts) -> Self
    where
        K: HasClientId,
    {
        Self { caller: Caller::new(client), parts }
    }

    /// The same session for another holder in this process.
    pub(super) fn copy(&self) -> Self {
        Self { caller: self.caller.clone(), parts: self.parts.copy() }
    }

    /// The session's ID at WorkOS, which its access token says. It may only name what a sign-out ends.
    ///
    /// The token isn't verified: a sign-out must not depend on the signing keys, or the session would go on at WorkOS. Nobody else can
    /// have made the token: it came from WorkOS with the refresh token, over TLS, and since then out of a seal of this application. Were
    /// it another session's, a session would end, and nothing be told or allowed.
    pub(super) fn id_to_end(&self) -> Option<SessionId> {
        token::unverified_session_id(&self.parts.access_token)
    }

    /// Verifies the access token, which must belong to the session's user.
    pub(super) async fn verify<C: DeserializeOwned>(
        &self,
        verifier: &TokenVerifier<C>,
    ) -> Result<VerifiedToken<C>, NotVerified> {
        let user_id = &self.parts.user.id;
        let result = verifier.verify(&self.parts.access_token).await;
        let is_the_users = match &result {
            Ok(token) => token.user_id() == user_id,
            Err(NotVerified::Expired(token)) => token.belongs_to(user_id),
            Err(_) => true,
        };
        if is_the_users { result } else { Err(NotVerified::Invalid(Error::token(TokenError::WrongUser))) }
    }
}
