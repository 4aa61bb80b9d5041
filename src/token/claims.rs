//! The claims of a verified access token. Only a verifier makes these types.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::object::Object;
use super::texts::{Text, Texts};
use crate::error::{Error, TokenError};
use crate::id::{OrganizationId, SessionId, UserId};
use crate::sealed::Internal;

/// The claims as the token has them. They mean nothing before the signature was checked.
#[derive(Deserialize)]
pub(super) struct Claims<'a> {
    #[serde(borrow)]
    pub(super) iss: Option<Text<'a>>,
    pub(super) sub: Option<UserId>,
    pub(super) sid: Option<SessionId>,
    #[serde(default, deserialize_with = "date")]
    pub(super) exp: Option<Timestamp>,
    #[serde(default, deserialize_with = "date")]
    pub(super) nbf: Option<Timestamp>,
    #[serde(borrow)]
    pub(super) client_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) aud: Option<Audience<'a>>,
    #[serde(default, deserialize_with = "date")]
    pub(super) iat: Option<Timestamp>,
    #[serde(default, deserialize_with = "date")]
    pub(super) auth_time: Option<Timestamp>,
    pub(super) jti: Option<String>,
    pub(super) org_id: Option<OrganizationId>,
    pub(super) role: Option<String>,
    #[serde(default)]
    pub(super) roles: Texts,
    #[serde(default)]
    pub(super) permissions: Texts,
    #[serde(default)]
    pub(super) entitlements: Texts,
    #[serde(default)]
    pub(super) feature_flags: Texts,
    pub(super) act: Option<Object<Actor>>,
}

#[derive(Deserialize)]
pub(super) struct Actor {
    pub(super) sub: String,
}

/// Whether a `sid` is that of the consent for an application. Each verifier accepts the one kind of tokens or the other, so that no token is
/// both.
pub(crate) fn is_of_application(sid: &str) -> bool {
    sid.starts_with("app_consent_")
}

/// One audience or several (RFC 7519 §4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience<'a> {
    #[serde(borrow)]
    One(Text<'a>),
    Several(Vec<String>),
}

impl Audience<'_> {
    pub(crate) fn names(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one.0 == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// `NumericDate` (RFC 7519 §2): seconds, with an optional fraction.
pub(crate) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(seconds) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    let unfit = || serde::de::Error::custom("not a date");
    if !seconds.is_finite() || seconds.abs() > 1e11 {
        return Err(unfit());
    }
    #[allow(clippy::cast_possible_truncation, reason = "its size was checked")]
    Timestamp::from_second(seconds.floor() as i64).map(Some).map_err(|_| unfit())
}

/// A token whose session ID is verified: a [`VerifiedToken`] or an [`ExpiredToken`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a session for certain",
    label = "needs a `&VerifiedToken` or an `&ExpiredToken`",
    note = "`verifier.verify(&access_token).await` gives one of them"
)]
pub trait NamesSession {
    #[doc(hidden)]
    fn named_session(&self, _: Internal) -> &SessionId;
}

impl<C> NamesSession for VerifiedToken<C> {
    fn named_session(&self, _: Internal) -> &SessionId {
        self.session_id()
    }
}

impl NamesSession for ExpiredToken {
    fn named_session(&self, _: Internal) -> &SessionId {
        self.session_id()
    }
}

/// No claims except those that WorkOS itself issues.
#[derive(Clone, Copy, Debug)]
pub struct NoCustomClaims(());

impl<'de> Deserialize<'de> for NoCustomClaims {
    /// Reads nothing.
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self(()))
    }
}

/// The claims of an access token whose signature, issuer and times were checked. Base authorization decisions on it.
///
/// `C` are the claims that a JWT template of the environment adds. Only [`TokenVerifier::verify`](super::TokenVerifier::verify)
/// makes one. Cloning is cheap.
///
/// ```
/// # async fn run(
/// #     verifier: workos_auth::TokenVerifier,
/// #     token: workos_auth::AccessToken,
/// #     owner: workos_auth::OrganizationId,
/// # ) -> Result<(), workos_auth::Error> {
/// let verified = verifier.verify(&token).await?;
/// println!("{} until {}", verified.user_id(), verified.expires_at());
/// assert!(verified.in_organization(&owner)?.has_role("editor"));
/// # Ok(()) }
/// ```
pub struct VerifiedToken<C = NoCustomClaims> {
    verified: Arc<Verified<C>>,
}

/// The required and the optional claims of an access token.
pub(super) struct Verified<C> {
    pub(super) user_id: UserId,
    pub(super) session_id: SessionId,
    pub(super) expires_at: Timestamp,
    pub(super) issued_at: Option<Timestamp>,
    pub(super) authenticated_at: Option<Timestamp>,
    pub(super) token_id: Option<String>,
    pub(super) organization_id: Option<OrganizationId>,
    pub(super) role: Option<String>,
    pub(super) roles: Texts,
    pub(super) permissions: Texts,
    pub(super) entitlements: Texts,
    pub(super) feature_flags: Texts,
    pub(super) impersonator: Option<String>,
    pub(super) custom: C,
}

/// An expired access token whose signature and issuer were checked. It says which session to refresh or to end; authorization
/// decisions can't be based on it.
pub struct ExpiredToken {
    pub(super) user_id: UserId,
    pub(super) session_id: SessionId,
    pub(super) expires_at: Timestamp,
    pub(super) issued_at: Option<Timestamp>,
}

impl<C> VerifiedToken<C> {
    pub(super) fn new(verified: Verified<C>) -> Self {
        Self { verified: Arc::new(verified) }
    }

    /// The same token after its expiry.
    pub(super) fn expire(&self) -> ExpiredToken {
        ExpiredToken {
            user_id: self.verified.user_id.clone(),
            session_id: self.verified.session_id.clone(),
            expires_at: self.verified.expires_at,
            issued_at: self.verified.issued_at,
        }
    }

    /// The user (`sub`).
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.verified.user_id
    }

    /// The session (`sid`).
    #[must_use]
    pub fn session_id(&self) -> &SessionId {
        &self.verified.session_id
    }

    /// When the token expires (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.verified.expires_at
    }

    /// When the token was issued (`iat`).
    #[must_use]
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.verified.issued_at
    }

    /// When the user last signed in (`auth_time`).
    #[must_use]
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.verified.authenticated_at
    }

    /// The token's own ID (`jti`).
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.verified.token_id.as_deref()
    }

    /// The organization that the user signed in to (`org_id`).
    #[must_use]
    pub fn organization_id(&self) -> Option<&OrganizationId> {
        self.verified.organization_id.as_ref()
    }

    /// The user's membership in this organization, if the user signed in to it (`org_id`).
    ///
    /// ```
    /// # fn run(token: workos_auth::VerifiedToken, owner: &workos_auth::OrganizationId) -> Result<bool, workos_auth::Error> {
    /// // `owner` is the organization that the requested data belongs to.
    /// Ok(token.in_organization(owner)?.has_permission("posts:write"))
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`](crate::ErrorKind::InvalidToken) with [`TokenError::WrongOrganization`] if the token is for another
    /// organization or for none.
    pub fn in_organization(&self, id: &OrganizationId) -> Result<Membership<'_>, Error> {
        match self.active_organization() {
            Some(membership) if membership.organization_id == id => Ok(membership),
            _ => Err(Error::token(TokenError::WrongOrganization)),
        }
    }

    /// The user's membership in the organization that the user signed in to, whichever it is. Before access to the data of a certain
    /// organization, use [`in_organization`](Self::in_organization) instead.
    #[must_use]
    pub fn active_organization(&self) -> Option<Membership<'_>> {
        Some(self.verified.membership(self.verified.organization_id.as_ref()?))
    }

    /// The token, if it is for an organization.
    pub(crate) fn into_member(self) -> Option<Member<C>> {
        let organization_id = self.verified.organization_id.clone()?;
        Some(Member { token: self, organization_id })
    }

    /// The feature flags that are on (`feature_flags`).
    pub fn feature_flags(&self) -> impl Iterator<Item = &str> {
        self.verified.feature_flags.iter()
    }

    /// Whether a feature flag is on (`feature_flags`).
    #[must_use]
    pub fn has_feature_flag(&self, flag: &str) -> bool {
        self.verified.feature_flags.contains(flag)
    }

    /// The e-mail address of the administrator who impersonates the user (`act.sub`).
    #[must_use]
    pub fn impersonator(&self) -> Option<&str> {
        self.verified.impersonator.as_deref()
    }

    /// The claims that a JWT template adds.
    #[must_use]
    pub fn custom(&self) -> &C {
        &self.verified.custom
    }
}

/// A token that is for an organization.
#[derive(Clone)]
pub(crate) struct Member<C = NoCustomClaims> {
    token: VerifiedToken<C>,
    organization_id: OrganizationId,
}

impl<C> Member<C> {
    pub(crate) fn membership(&self) -> Membership<'_> {
        self.token.verified.membership(&self.organization_id)
    }
}

impl<C> Verified<C> {
    fn membership<'a>(&'a self, organization_id: &'a OrganizationId) -> Membership<'a> {
        Membership {
            organization_id,
            role: self.role.as_deref(),
            roles: &self.roles,
            permissions: &self.permissions,
            entitlements: &self.entitlements,
        }
    }
}

/// What a user may do in one organization, according to a verified token; made by [`VerifiedToken::in_organization`].
#[derive(Clone, Copy)]
pub struct Membership<'a> {
    organization_id: &'a OrganizationId,
    role: Option<&'a str>,
    roles: &'a Texts,
    permissions: &'a Texts,
    entitlements: &'a Texts,
}

impl<'a> Membership<'a> {
    /// The organization (`org_id`).
    #[must_use]
    pub fn organization_id(&self) -> &'a OrganizationId {
        self.organization_id
    }

    /// The user's first role in the organization (`role`).
    #[must_use]
    pub fn role(&self) -> Option<&'a str> {
        self.role
    }

    /// All roles of the user in the organization (`roles`).
    pub fn roles(&self) -> impl Iterator<Item = &'a str> {
        self.roles.iter()
    }

    /// The user's permissions in the organization (`permissions`).
    pub fn permissions(&self) -> impl Iterator<Item = &'a str> {
        self.permissions.iter()
    }

    /// The organization's entitlements (`entitlements`).
    pub fn entitlements(&self) -> impl Iterator<Item = &'a str> {
        self.entitlements.iter()
    }

    /// Whether the user has a role (`role` or `roles`).
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.role == Some(role) || self.roles.contains(role)
    }

    /// Whether the user has a permission (`permissions`).
    #[must_use]
    pub fn has_permission(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }

    /// Whether the organization has an entitlement (`entitlements`).
    #[must_use]
    pub fn has_entitlement(&self, entitlement: &str) -> bool {
        self.entitlements.contains(entitlement)
    }
}

impl fmt::Debug for Membership<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Membership")
            .field("organization_id", &self.organization_id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl ExpiredToken {
    /// How long it was valid, if it says when it was issued.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        Duration::try_from(self.expires_at.duration_since(self.issued_at?)).ok()
    }

    /// Whether it belonged to this user. Only the session needs to know: an expired token isn't a signed-in user.
    pub(crate) fn belongs_to(&self, user_id: &UserId) -> bool {
        self.user_id == *user_id
    }

    /// The session (`sid`), to refresh it or to end it.
    #[must_use]
    pub fn session_id(&self) -> &SessionId {
        &self.session_id
    }

    /// When it expired (`exp`).
    #[must_use]
    pub fn expired_at(&self) -> Timestamp {
        self.expires_at
    }
}

impl<C> Clone for VerifiedToken<C> {
    fn clone(&self) -> Self {
        Self { verified: Arc::clone(&self.verified) }
    }
}

impl<C> fmt::Debug for VerifiedToken<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerifiedToken")
            .field("user_id", self.user_id())
            .field("session_id", self.session_id())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ExpiredToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ExpiredToken")
            .field("session_id", self.session_id())
            .field("expired_at", &self.expired_at())
            .finish_non_exhaustive()
    }
}
