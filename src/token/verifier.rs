//! The verifier of access tokens (RFC 7519, RFC 8725).

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::claims::{Claims, ExpiredToken, NoCustomClaims, Verified, VerifiedToken, is_of_application};
use super::jwks::VerifyingKey;
use super::jws::{Signatures, check_not_early, unverified_payload};
use super::memory::{Memory, Remembered};
use super::object::Object;
use super::texts::Text;
use crate::client::Client;
use crate::credentials::HasClientId;
use crate::error::{Error, ErrorKind, TokenError};
use crate::id::{ClientId, SessionId};
use crate::secret::{AccessToken, MAX_TOKEN_BYTES};
use crate::wire;

/// Verifies access tokens against the keys that WorkOS publishes.
///
/// All verifiers of a client and its clones share the keys of its client ID. The keys are fetched for the first token, again in the
/// background before they are ten minutes old, and when a token names an unknown key. There is one fetch at a time, with a pause of
/// 30 seconds after each, or of 5 seconds while there are no keys. A fetch ends within 10 seconds, also if its callers are cancelled. If it fails, the last good keys are used
/// until they are an hour old.
///
/// ```
/// use workos_auth::testing::{AuthKit, Browser};
/// use workos_auth::token::NotVerified;
/// use workos_auth::{Callback, Client, RedirectUri};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = authkit.public_client();
/// # let session = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// # let callback = Browser::new()?.sign_in(session.url().as_str(), "ada@example.com").await?;
/// # let response = session.exchange(Callback::from_url(&callback)?)?.send().await?;
/// let verifier = client.verifier();
/// match verifier.verify(&response.access_token).await {
///     Ok(token) => assert_eq!(token.user_id(), &response.user.id),
///     Err(NotVerified::Expired(token)) => println!("refresh {}", token.session_id()),
///     Err(NotVerified::Invalid(error)) => println!("refuse it: {error}"),
///     Err(NotVerified::KeysUnavailable(_)) => println!("try again"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct TokenVerifier<C = NoCustomClaims> {
    signatures: Signatures,
    policy: Policy,
    /// The tokens that this policy has accepted. A changed policy starts with an empty memory.
    memory: Option<Arc<Memory<C>>>,
    custom: PhantomData<fn() -> C>,
}

/// The required claims of a token.
#[derive(Clone)]
struct Policy {
    client_id: ClientId,
    /// Issuers for several applications: their tokens must have a `client_id`.
    shared_issuers: [String; 2],
    /// Issuers for this application only: their tokens need no `client_id`.
    own_issuers: Vec<String>,
    audience: Option<String>,
    leeway: Duration,
    min_ttl: Duration,
}

/// Why a token wasn't verified.
///
/// There are only these three cases, so this enum is exhaustive.
#[derive(Debug, thiserror::Error)]
#[must_use = "it says whether to refresh, to refuse or to try again"]
pub enum NotVerified {
    /// Its signature and issuer are right, but it has expired: refresh its session.
    #[error("the access token was refused: {}", TokenError::Expired)]
    Expired(ExpiredToken),
    /// It isn't a token of this application, or was changed.
    #[error(transparent)]
    Invalid(Error),
    /// The signing keys are unavailable ([`ErrorKind::KeysUnavailable`]), so the token can't be checked at the moment.
    #[error(transparent)]
    KeysUnavailable(Error),
}

impl NotVerified {
    pub(crate) fn of(error: Error) -> Self {
        if matches!(error.kind(), ErrorKind::KeysUnavailable) {
            Self::KeysUnavailable(error)
        } else {
            Self::Invalid(error)
        }
    }

    /// Why the token wasn't verified; [`TokenError::Expired`] if it has expired.
    #[must_use]
    pub fn error(&self) -> Error {
        match self {
            Self::Expired(_) => Error::token(TokenError::Expired),
            Self::Invalid(error) | Self::KeysUnavailable(error) => error.clone(),
        }
    }
}

impl From<NotVerified> for Error {
    fn from(not_verified: NotVerified) -> Self {
        not_verified.error()
    }
}

/// A token whose signature and issuer are right.
enum Judged<C> {
    Good(VerifiedToken<C>),
    Expired(ExpiredToken),
}

/// # Verified tokens
impl<K> Client<K> {
    /// A verifier for the access tokens of this application. It shares its keys with the other verifiers of this client and its
    /// clones.
    #[must_use]
    pub fn verifier(&self) -> TokenVerifier
    where
        K: HasClientId,
    {
        let (client_id, base_url) = (self.client_id().clone(), self.base_url());
        TokenVerifier {
            signatures: Signatures::of_client(&self.core, &client_id),
            policy: Policy {
                shared_issuers: [base_url.to_owned(), format!("{base_url}/")],
                own_issuers: vec![format!("{base_url}/user_management/{client_id}")],
                client_id,
                audience: None,
                leeway: Duration::ZERO,
                min_ttl: Duration::ZERO,
            },
            memory: None,
            custom: PhantomData,
        }
    }
}

impl TokenVerifier {
    /// A verifier for a service that knows only the client ID of the tokens it receives. It asks the WorkOS API for the keys; for
    /// another base URL, such as that of a test, build a client and take its [`verifier`](Client::verifier).
    ///
    /// # Errors
    /// As [`ClientBuilder::build`](crate::ClientBuilder::build).
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub fn new(client_id: ClientId) -> Result<Self, Error> {
        Ok(Client::builder().client_id(client_id.as_str()).build()?.verifier())
    }
}

/// # Required claims
impl<C> TokenVerifier<C> {
    /// Accepts another issuer, such as a custom domain, exactly as it is in `iss`.
    ///
    /// Its tokens are accepted without a `client_id`; a token with the `client_id` of another application is still refused. The base
    /// URL of the API issues tokens for every application, so its tokens must have a `client_id`, unless it is named here.
    #[must_use]
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        self.changing(|policy| policy.own_issuers.push(issuer.into()))
    }

    /// Requires an audience (`aud`), if the environment issues one.
    #[must_use]
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.changing(|policy| policy.audience = Some(audience.into()))
    }

    /// How long a token is still accepted after it has expired; zero unless given.
    #[must_use]
    pub fn expiry_leeway(self, leeway: Duration) -> Self {
        self.changing(|policy| policy.leeway = leeway)
    }

    /// The remaining time that a token must have, so that it doesn't expire during a request. A token with less counts as expired;
    /// zero unless given.
    #[must_use]
    pub fn min_ttl(self, min_ttl: Duration) -> Self {
        self.changing(|policy| policy.min_ttl = min_ttl)
    }

    /// How long a check may wait for the keys; 10 s unless given. It waits for nothing else. After that time the last good keys are
    /// used, if they are less than an hour old and have the needed key. The fetch goes on in the background: with [`Duration::ZERO`]
    /// a check never waits, and the first checks find no keys.
    #[must_use]
    pub fn keys_timeout(mut self, timeout: Duration) -> Self {
        self.signatures.keys_timeout = timeout;
        self
    }

    /// A verifier that also reads the claims that a JWT template adds. It shares the keys.
    #[must_use]
    pub fn custom_claims<D: DeserializeOwned>(self) -> TokenVerifier<D> {
        let memory = self.memory.map(|memory| Memory::new(memory.capacity));
        let Self { signatures, policy, .. } = self;
        TokenVerifier { signatures, policy, memory, custom: PhantomData }
    }

    /// Remembers up to this many verified tokens, so that the next check of one costs a hash and a look-up instead of a signature.
    /// Clones share the memory.
    ///
    /// It keeps the claims, not the tokens. The expiry of a remembered token is checked again each time, and the token is forgotten
    /// when its key is no longer published.
    #[must_use]
    pub fn remember(mut self, tokens: usize) -> Self {
        self.memory = (tokens > 0).then(|| Memory::new(tokens));
        self
    }

    fn changing(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self.memory = self.memory.map(|memory| Memory::new(memory.capacity));
        self
    }
}

/// # Verifying
impl<C: DeserializeOwned> TokenVerifier<C> {
    /// Verifies a token. It waits only for keys, and no longer than [`keys_timeout`](Self::keys_timeout). A token with a known key
    /// doesn't wait while an unknown key is fetched.
    ///
    /// Fetching keys needs a tokio runtime. Without one, the keys at hand are used until they are ten minutes old.
    ///
    /// # Errors
    /// [`NotVerified`]: the token has expired, is invalid, or the signing keys are unavailable, which says nothing about the
    /// session.
    pub async fn verify(&self, token: &AccessToken) -> Result<VerifiedToken<C>, NotVerified> {
        match self.check(wire::text(token)).await {
            Ok(Judged::Good(token)) => Ok(token),
            Ok(Judged::Expired(token)) => Err(NotVerified::Expired(token)),
            Err(error) => Err(NotVerified::of(error)),
        }
    }

    async fn check(&self, token: &str) -> Result<Judged<C>, Error> {
        let Some(memory) = &self.memory else {
            return self.verify_signature(token).await.map(|(judged, _)| judged);
        };
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::token(TokenError::TooLarge));
        }
        let fingerprint = Memory::<C>::fingerprint(token);
        let known = memory.read(&fingerprint, |known| {
            let key = (!self.signatures.has_at_hand(&known.key)).then(|| Arc::clone(&known.key));
            (known.token.clone(), key)
        });
        if let Some((token, unsure)) = known {
            let is_published = match unsure {
                None => Ok(true),
                Some(key) => self.signatures.key(&key.kid).await.map(|published| Arc::ptr_eq(&published, &key)),
            };
            match is_published {
                Ok(true) if self.has_expired(token.expires_at(), self.signatures.now()) => {
                    return Ok(Judged::Expired(token.expire()));
                }
                Ok(true) => return Ok(Judged::Good(token)),
                Err(error) if matches!(error.kind(), ErrorKind::KeysUnavailable) => return Err(error),
                Ok(false) | Err(_) => memory.remove(&fingerprint),
            }
        }
        let (judged, key) = self.verify_signature(token).await?;
        if let Judged::Good(token) = &judged {
            memory.insert(fingerprint, Remembered { token: token.clone(), key });
        }
        Ok(judged)
    }

    async fn verify_signature(&self, token: &str) -> Result<(Judged<C>, Arc<VerifyingKey>), Error> {
        let (payload, key) = self.signatures.payload(token).await?;
        let judged = self.judge(&payload).map_err(Error::token)?;
        Ok((judged, key))
    }

    /// Checks the claims of a token whose signature is right.
    fn judge(&self, payload: &[u8]) -> Result<Judged<C>, TokenError> {
        let payload = str::from_utf8(payload).map_err(|_| TokenError::MalformedClaims)?;
        let Object(claims): Object<Claims<'_>> =
            serde_json::from_str(payload).map_err(|_| TokenError::MalformedClaims)?;
        let policy = &self.policy;
        let issued_by =
            |issuers: &[String]| claims.iss.as_ref().is_some_and(|Text(iss)| issuers.iter().any(|one| one == iss));
        let own = issued_by(&policy.own_issuers);
        if !own && !issued_by(&policy.shared_issuers) {
            return Err(TokenError::WrongIssuer);
        }
        match claims.client_id {
            Some(Text(id)) if id != policy.client_id.as_str() => return Err(TokenError::WrongClient),
            None if !own => return Err(TokenError::MissingClientId),
            Some(_) | None => {}
        }
        if let Some(audience) = &policy.audience
            && !claims.aud.is_some_and(|given| given.names(audience))
        {
            return Err(TokenError::WrongAudience);
        }
        let (Some(user_id), Some(session_id), Some(expires_at)) = (claims.sub, claims.sid, claims.exp) else {
            return Err(TokenError::MissingClaim);
        };
        // A custom domain may issue both kinds: that of an application has the ID of a consent instead of a session's.
        if is_of_application(session_id.as_str()) {
            return Err(TokenError::ApplicationToken);
        }
        let now = self.signatures.now();
        check_not_early(now, [claims.nbf, claims.iat])?;
        if self.has_expired(expires_at, now) {
            return Ok(Judged::Expired(ExpiredToken { user_id, session_id, expires_at, issued_at: claims.iat }));
        }
        // The whole payload was parsed above, so nothing follows the object.
        let custom = C::deserialize(&mut serde_json::Deserializer::from_str(payload))
            .map_err(|_| TokenError::MalformedClaims)?;
        Ok(Judged::Good(VerifiedToken::new(Verified {
            user_id,
            session_id,
            expires_at,
            issued_at: claims.iat,
            authenticated_at: claims.auth_time,
            token_id: claims.jti,
            organization_id: claims.org_id,
            role: claims.role,
            roles: claims.roles,
            permissions: claims.permissions,
            entitlements: claims.entitlements,
            feature_flags: claims.feature_flags,
            impersonator: claims.act.map(|Object(actor)| actor.sub),
            custom,
        })))
    }

    /// Whether a token with this expiry counts as expired at this time.
    pub(crate) fn has_expired(&self, expires_at: Timestamp, now: Timestamp) -> bool {
        let later = |time: Timestamp, by: Duration| time.checked_add(by).unwrap_or(Timestamp::MAX);
        later(expires_at, self.policy.leeway) <= later(now, self.policy.min_ttl)
    }
}

/// The session (`sid`) that a token names, which is not verified: somebody else may have made the token.
pub(crate) fn unverified_session_id(token: &AccessToken) -> Option<SessionId> {
    #[derive(Deserialize)]
    struct Claims {
        sid: SessionId,
    }
    let payload = unverified_payload(wire::text(token))?;
    serde_json::from_slice(&payload).ok().map(|Object(Claims { sid })| sid)
}

impl<C> Clone for TokenVerifier<C> {
    fn clone(&self) -> Self {
        Self {
            signatures: self.signatures.clone(),
            policy: self.policy.clone(),
            memory: self.memory.clone(),
            custom: PhantomData,
        }
    }
}

impl<C> fmt::Debug for TokenVerifier<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenVerifier")
            .field("client_id", &self.policy.client_id)
            .field("shared_issuers", &self.policy.shared_issuers)
            .field("own_issuers", &self.policy.own_issuers)
            .finish_non_exhaustive()
    }
}
