//! A good token, and what it says.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use super::challenge::{Challenge, NotAuthorized, Refusal};
use super::scopes::{MissingScope, Scopes};
use crate::error::TokenError;
use crate::id::{ClientId, OrganizationId, UserId};
use crate::token::{Audience, Object, Text, date};

/// The claims as the token has them. They mean nothing before the signature was checked.
#[derive(Deserialize)]
pub(super) struct Claims<'a> {
    #[serde(borrow)]
    pub(super) iss: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) aud: Option<Audience<'a>>,
    #[serde(borrow)]
    sub: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) sid: Option<Text<'a>>,
    #[serde(default, deserialize_with = "date")]
    exp: Option<Timestamp>,
    #[serde(default, deserialize_with = "date")]
    pub(super) nbf: Option<Timestamp>,
    #[serde(default, deserialize_with = "date")]
    pub(super) iat: Option<Timestamp>,
    #[serde(borrow)]
    client_id: Option<Text<'a>>,
    org_id: Option<OrganizationId>,
    #[serde(borrow)]
    scope: Option<Text<'a>>,
    jti: Option<String>,
}

impl<'a> Claims<'a> {
    pub(super) fn read(payload: &'a [u8]) -> Result<Self, TokenError> {
        let Object(claims) = serde_json::from_slice(payload).map_err(|_| TokenError::MalformedClaims)?;
        Ok(claims)
    }

    /// The token, if all that is required is there.
    pub(super) fn into_token(self, challenge: &Challenge) -> Result<ResourceToken, TokenError> {
        // An ID token has no `jti`. It has the same issuer and keys, and may have the same audience.
        let (Some(Text(subject)), Some(expires_at), Some(token_id)) = (self.sub, self.exp, self.jti) else {
            return Err(TokenError::MissingClaim);
        };
        let subject = Subject::parse(&subject).ok_or(TokenError::MalformedClaims)?;
        let scopes = self.scope.as_ref().map_or("", |Text(scopes)| scopes);
        Ok(ResourceToken(Arc::new(Accepted {
            client_id: match &subject {
                Subject::Machine(client_id) => Some(client_id.clone()),
                Subject::User(_) => self.client_id.and_then(|Text(id)| ClientId::new(id).ok()),
            },
            subject,
            organization_id: self.org_id,
            scopes: scopes.parse().map_err(|_| TokenError::MalformedClaims)?,
            expires_at,
            token_id,
            challenge: challenge.clone(),
        })))
    }
}

/// Whom a token is about (`sub`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A user, who has let an application act for them.
    User(UserId),
    /// An M2M application, which acts for itself and for no user.
    Machine(ClientId),
}

impl Subject {
    fn parse(text: &str) -> Option<Self> {
        if text.starts_with("user_") {
            UserId::new(text).ok().map(Self::User)
        } else if text.starts_with("client_") {
            ClientId::new(text).ok().map(Self::Machine)
        } else {
            None
        }
    }
}

/// An access token of an OAuth or M2M application or of an MCP client whose signature, issuer, audience and times were checked. Base
/// authorization decisions on it.
///
/// Only a [`ResourceServer`](super::ResourceServer) makes one. It is no [`VerifiedToken`](crate::VerifiedToken), which belongs to a user's
/// session. Cloning is cheap.
///
/// ```
/// # fn run(token: workos_auth::connect::ResourceToken) -> Result<(), workos_auth::connect::MissingScope> {
/// use workos_auth::connect::Subject;
///
/// token.scope("read:posts")?;
/// match token.subject() {
///     Subject::User(id) => println!("for the user {id}"),
///     Subject::Machine(id) => println!("for the application {id}"),
///     _ => println!("for somebody else"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ResourceToken(Arc<Accepted>);

struct Accepted {
    subject: Subject,
    client_id: Option<ClientId>,
    organization_id: Option<OrganizationId>,
    scopes: Scopes,
    expires_at: Timestamp,
    token_id: String,
    challenge: Challenge,
}

impl ResourceToken {
    /// Whom the token is about (`sub`).
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.0.subject
    }

    /// The user, unless the token is about a machine.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        match &self.0.subject {
            Subject::User(id) => Some(id),
            Subject::Machine(_) => None,
        }
    }

    /// The application that got the token: of a machine its `sub`, otherwise `client_id`. `None` if a user's token doesn't name it, or
    /// names it by something else than an ID of WorkOS, such as a URL.
    #[must_use]
    pub fn client_id(&self) -> Option<&ClientId> {
        self.0.client_id.as_ref()
    }

    /// The organization (`org_id`): the one that the user selected, or that the machine belongs to.
    #[must_use]
    pub fn organization_id(&self) -> Option<&OrganizationId> {
        self.0.organization_id.as_ref()
    }

    /// Checks that the token is for this organization, to which the requested data belongs. A token for no organization is for none.
    ///
    /// # Errors
    /// [`NotAuthorized`] with [`Refusal::WrongOrganization`], whose response is 403.
    pub fn in_organization(&self, id: &OrganizationId) -> Result<(), NotAuthorized> {
        if self.organization_id() == Some(id) {
            Ok(())
        } else {
            Err(NotAuthorized::new(Refusal::WrongOrganization, &self.0.challenge))
        }
    }

    /// What the application may do (`scope`).
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// Requires a scope. [`Scoped`](super::Scoped) is the same as a type.
    ///
    /// # Errors
    /// [`MissingScope`], whose response tells the client which scope to ask for.
    pub fn scope(&self, scope: &str) -> Result<(), MissingScope> {
        if self.0.scopes.contains(scope) { Ok(()) } else { Err(MissingScope::new(scope, &self.0.challenge)) }
    }

    /// When the token expires (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }

    /// The token's own ID (`jti`).
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.0.token_id
    }
}

impl fmt::Debug for ResourceToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ResourceToken")
            .field("subject", &self.0.subject)
            .field("organization_id", &self.0.organization_id)
            .field("expires_at", &self.0.expires_at)
            .finish_non_exhaustive()
    }
}
