//! The resource server: it verifies tokens, and says where to get one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response};

use super::challenge::{Challenge, NotAccepted, NotAuthorized, Refusal};
use super::metadata::{self, Location};
use super::scopes::Scopes;
use super::token::{Claims, ResourceToken};
#[cfg(any(feature = "hyper", feature = "reqwest"))]
use crate::client::Client;
use crate::client::ClientBuilder;
use crate::credentials::NoCredentials;
use crate::error::{Error, NoBearerToken, TokenError};
use crate::id::{ClientId, Issuer, ResourceUri};
use crate::secret::BearerToken;
use crate::token::{Signatures, Text, check_not_early, is_of_application};
use crate::transport::{Core, Transport};
use crate::wire;

/// Verifies the access tokens of OAuth and M2M applications and of MCP clients, for an API or an MCP server.
///
/// A token must be signed by the issuer with RS256, be for this resource (`aud`), and not have expired. The audience is always required:
/// a token for another server isn't accepted. Nor is the token of a user's session, which a
/// [`TokenVerifier`](crate::TokenVerifier) verifies, nor an ID token. The tokens of M2M applications have another audience, which
/// [`accept_client`](Self::accept_client) names.
///
/// The keys are found by the issuer's metadata (RFC 8414), and kept as those of a [`TokenVerifier`](crate::TokenVerifier): there is one
/// fetch at a time, and the last good keys are used in an outage. Cloning is cheap, and clones share the keys.
///
/// ```
/// use workos_auth::ClientId;
/// use workos_auth::connect::ResourceServer;
/// use workos_auth::id::{Issuer, ResourceUri};
///
/// let issuer = Issuer::new("https://example.authkit.app")?;
/// let server = ResourceServer::new(issuer, ResourceUri::new("https://mcp.example.com/mcp")?)?
///     .accept_client(ClientId::new("client_123")?);
/// assert_eq!(server.metadata_path(), "/.well-known/oauth-protected-resource/mcp");
/// # Ok::<_, workos_auth::Error>(())
/// ```
#[derive(Clone)]
pub struct ResourceServer {
    signatures: Signatures,
    policy: Arc<Policy>,
}

#[derive(Clone)]
struct Policy {
    issuer: Issuer,
    resource: ResourceUri,
    /// Their IDs are audiences, too.
    clients: Vec<ClientId>,
    scopes_supported: Option<Scopes>,
    metadata: Location,
    challenge: Challenge,
}

/// # Resource servers
impl ClientBuilder<NoCredentials> {
    /// Builds a [`ResourceServer`] with these settings: a timeout, a proxy, certificate authorities. The issuer takes the place of the base
    /// URL.
    ///
    /// ```
    /// # use workos_auth::id::{Issuer, ResourceUri};
    /// use std::time::Duration;
    ///
    /// use workos_auth::Client;
    ///
    /// # let issuer = Issuer::new("https://example.authkit.app")?;
    /// # let resource = ResourceUri::new("https://api.example.com")?;
    /// let server = Client::builder().timeout(Duration::from_secs(5)).proxy_from_env().resource_server(issuer, resource)?;
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`build`](Self::build).
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "server")))]
    pub fn resource_server(self, issuer: Issuer, resource: ResourceUri) -> Result<ResourceServer, Error> {
        let core = self.core_of(&issuer)?;
        ResourceServer::of(&core, issuer, resource)
    }

    /// Builds a [`ResourceServer`] with another [`Transport`].
    ///
    /// # Errors
    /// As [`build_with`](Self::build_with).
    #[cfg_attr(docsrs, doc(cfg(feature = "server")))]
    pub fn resource_server_with(
        self,
        issuer: Issuer,
        resource: ResourceUri,
        transport: impl Transport,
    ) -> Result<ResourceServer, Error> {
        let core = self.core_of_with(&issuer, transport)?;
        ResourceServer::of(&core, issuer, resource)
    }
}

impl ResourceServer {
    /// A resource server for the tokens of this issuer that are for this resource.
    ///
    /// For other settings of the HTTP client, see [`ClientBuilder::resource_server`].
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub fn new(issuer: Issuer, resource: ResourceUri) -> Result<Self, Error> {
        Client::builder().resource_server(issuer, resource)
    }

    pub(crate) fn of(core: &Arc<Core>, issuer: Issuer, resource: ResourceUri) -> Result<Self, Error> {
        let metadata = Location::of(&resource)?;
        let challenge = Challenge { metadata_url: metadata.url.as_str().into() };
        let signatures = Signatures::of_issuer(core, issuer.clone());
        let clients = Vec::new();
        let policy = Policy { issuer, resource, clients, scopes_supported: None, metadata, challenge };
        Ok(Self { signatures, policy: Arc::new(policy) })
    }
}

/// # Settings
impl ResourceServer {
    /// Also accepts tokens whose audience (`aud`) is this client ID: give it the client ID of your WorkOS environment. This is the audience
    /// of the tokens of all M2M applications, and of clients that name no resource (RFC 8707): see WorkOS's
    /// [access token claims](https://workos.com/docs/authkit/connect/token-claims). So an API that M2M applications call needs it.
    ///
    /// Such a token is good at every API of the environment that does the same. Leave it out where no M2M application calls.
    #[must_use]
    pub fn accept_client(mut self, client_id: ClientId) -> Self {
        Arc::make_mut(&mut self.policy).clients.push(client_id);
        self
    }

    /// The scopes that the metadata names, for which clients then ask (`scopes_supported`); it has no such field unless given.
    #[must_use]
    pub fn scopes_supported(mut self, scopes: Scopes) -> Self {
        Arc::make_mut(&mut self.policy).scopes_supported = Some(scopes);
        self
    }

    /// How long a check may wait for the keys; 10 s unless given. See [`TokenVerifier::keys_timeout`](crate::TokenVerifier::keys_timeout).
    #[must_use]
    pub fn keys_timeout(mut self, timeout: Duration) -> Self {
        self.signatures.keys_timeout = timeout;
        self
    }
}

/// # Verifying
impl ResourceServer {
    /// Verifies the token that a request brings in its headers. The error has the response.
    ///
    /// # Errors
    /// [`NotAuthorized`]: there is no token, it isn't accepted, or the signing keys are unavailable.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<ResourceToken, NotAuthorized> {
        let token = BearerToken::from_headers(headers);
        let token = token.map_err(|error| self.refuse_without_token(error))?;
        self.verify(&token).await.map_err(|not_accepted| self.refuse(not_accepted))
    }

    /// Verifies a token. It waits only for keys, as [`TokenVerifier::verify`](crate::TokenVerifier::verify) does.
    ///
    /// # Errors
    /// [`NotAccepted`]: the token has expired, is invalid, or the signing keys are unavailable, which says nothing about it.
    pub async fn verify(&self, token: &BearerToken) -> Result<ResourceToken, NotAccepted> {
        let (payload, _) = self.signatures.payload(wire::text(token)).await.map_err(NotAccepted::of)?;
        self.judge(&payload).map_err(|error| NotAccepted::of(Error::token(error)))
    }

    /// What to answer to a request whose token isn't accepted. [`admit`](Self::admit) does both.
    pub fn refuse(&self, not_accepted: NotAccepted) -> NotAuthorized {
        NotAuthorized::new(Refusal::NotAccepted(not_accepted), &self.policy.challenge)
    }

    pub(crate) fn refuse_without_token(&self, error: NoBearerToken) -> NotAuthorized {
        NotAuthorized::new(Refusal::NoToken(error), &self.policy.challenge)
    }

    /// Checks the claims of a token whose signature is right.
    fn judge(&self, payload: &[u8]) -> Result<ResourceToken, TokenError> {
        let claims = Claims::read(payload)?;
        let policy = &*self.policy;
        if claims.iss.as_ref().is_none_or(|Text(iss)| iss != policy.issuer.as_str()) {
            return Err(TokenError::WrongIssuer);
        }
        // A custom domain may issue the tokens of sessions, too. That of a machine has no `sid`.
        if claims.sid.as_ref().is_some_and(|Text(sid)| !is_of_application(sid)) {
            return Err(TokenError::SessionToken);
        }
        let is_for = |audience: &str| claims.aud.as_ref().is_some_and(|given| given.names(audience));
        if !is_for(policy.resource.as_str()) && !policy.clients.iter().any(|client_id| is_for(client_id.as_str())) {
            return Err(TokenError::WrongAudience);
        }
        let now = self.signatures.now();
        check_not_early(now, [claims.nbf, claims.iat])?;
        let token = claims.into_token(&policy.challenge)?;
        if token.expires_at() <= now { Err(TokenError::Expired) } else { Ok(token) }
    }
}

/// # Metadata
impl ResourceServer {
    /// The metadata of this resource server (RFC 9728 §2), to be served at [`metadata_path`](Self::metadata_path): from it a client learns
    /// who issues tokens. With axum, `ResourceServer::routes` serves it.
    #[must_use]
    pub fn metadata(&self) -> Response<String> {
        let policy = &*self.policy;
        metadata::response(&policy.resource, &policy.issuer, policy.scopes_supported.as_ref())
    }

    /// The path at which clients look for the metadata (RFC 9728 §3.1): `/.well-known/oauth-protected-resource`, and after it the path of
    /// the resource.
    #[must_use]
    pub fn metadata_path(&self) -> &str {
        &self.policy.metadata.path
    }

    /// The URL of the metadata, as each refusal names it. It has the query of the resource, if that has one.
    #[must_use]
    pub fn metadata_url(&self) -> &str {
        &self.policy.metadata.url
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ResourceServer")
            .field("issuer", &self.policy.issuer)
            .field("resource", &self.policy.resource)
            .field("clients", &self.policy.clients)
            .finish_non_exhaustive()
    }
}
