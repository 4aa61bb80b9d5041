//! Connect: the AuthKit as an issuer of the tokens of OAuth and M2M applications.

use std::fmt;
use std::io;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::AuthKit;
use super::keys::SigningKey;
use super::state::State;
use super::values::{after, random};
use crate::connect::ResourceServer;
use crate::error::Error;
use crate::id::{Issuer, ResourceUri};
use crate::secret::BearerToken;

const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// # Connect
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
impl AuthKit {
    /// This AuthKit as an issuer of [`connect_token`](Self::connect_token)s.
    #[must_use]
    pub fn issuer(&self) -> Issuer {
        self.issuer.clone()
    }

    /// A resource server for the tokens of this AuthKit that are for this resource. It goes by the AuthKit's [clock](Self::clock).
    ///
    /// Each is one of its own, as in another process: only clones share keys.
    ///
    /// # Errors
    /// As [`ResourceServer::new`].
    pub fn resource_server(&self, resource: ResourceUri) -> Result<ResourceServer, Error> {
        ResourceServer::of(&self.client.separate().core, self.issuer.clone(), resource)
    }

    /// Makes an access token as Connect issues them, of the AuthKit's first user and for an application `client_test_connect`. It has no
    /// audience unless it is given one.
    ///
    /// ```
    /// use workos_auth::id::ResourceUri;
    /// use workos_auth::testing::AuthKit;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let authkit = AuthKit::start().await?;
    /// let server = authkit.resource_server(ResourceUri::new("https://mcp.example.com/mcp")?)?;
    /// let token = authkit.connect_token().audience("https://mcp.example.com/mcp").scopes("read:posts").sign()?;
    /// assert!(server.verify(&token).await?.scope("read:posts").is_ok());
    ///
    /// let other = authkit.connect_token().audience("https://other.example.com").sign()?;
    /// assert!(server.verify(&other).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect_token(&self) -> ConnectToken<'_> {
        let user = self.state.lock().users.first().map(|user| user.id.clone()).unwrap_or_default();
        let token = ConnectToken { authkit: self, claims: Map::new(), lifetime: DEFAULT_LIFETIME, is_published: true };
        token.user(user).client("client_test_connect")
    }
}

/// An access token that is being made; begun by [`AuthKit::connect_token`].
#[must_use = "it is no token until `sign()`"]
pub struct ConnectToken<'a> {
    authkit: &'a AuthKit,
    claims: Map<String, Value>,
    lifetime: Duration,
    /// Whether it is signed with a key that the AuthKit publishes.
    is_published: bool,
}

impl ConnectToken<'_> {
    /// For this user, who has let an application act for them.
    pub fn user(self, id: impl Into<String>) -> Self {
        self.claim("sub", id.into()).claim("sid", "app_consent_test")
    }

    /// For an M2M application: it is the subject, and there is no user.
    pub fn machine(self, client_id: impl Into<String>) -> Self {
        let client_id = client_id.into();
        self.claim("sub", client_id.clone()).client(client_id).claim("sid", Value::Null)
    }

    /// For this application (`client_id`).
    pub fn client(self, client_id: impl Into<String>) -> Self {
        self.claim("client_id", client_id.into())
    }

    /// For this resource, or for every API of the environment with this client ID (`aud`).
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.claim("aud", audience.into())
    }

    /// With these scopes, which have spaces between them (`scope`).
    pub fn scopes(self, scopes: impl Into<String>) -> Self {
        self.claim("scope", scopes.into())
    }

    /// In this organization (`org_id`).
    pub fn organization(self, id: impl Into<String>) -> Self {
        self.claim("org_id", id.into())
    }

    /// Sets how long it is good. The default is 5 minutes.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// With this claim, right or wrong. With [`Value::Null`] it has no such claim.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Signs it with a key that the AuthKit doesn't publish.
    pub fn unpublished_key(mut self) -> Self {
        self.is_published = false;
        self
    }

    /// Signs it with the AuthKit's newest key.
    ///
    /// # Errors
    /// Fails when it can't be signed, or when it is too large.
    pub fn sign(self) -> io::Result<BearerToken> {
        let state = self.authkit.state.lock();
        let now = state.token_skew.of(state.now());
        let Value::Object(mut claims) = json!({
            "iss": self.authkit.issuer.as_str(),
            "jti": random("")?,
            "iat": now.as_second(),
            "exp": after(now, self.lifetime).as_second(),
        }) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        claims.extend(self.claims);
        claims.retain(|_, value| !value.is_null());
        let claims = Value::Object(claims);
        let token = if self.is_published {
            state.keys.first().ok_or(io::ErrorKind::NotFound)?.sign(&claims)
        } else {
            let key = SigningKey::unused(&state.base_url)?;
            let token = key.sign(&claims);
            SigningKey::leave(vec![key]);
            token
        };
        BearerToken::new(token?).map_err(io::Error::other)
    }
}

impl fmt::Debug for ConnectToken<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ConnectToken").field("claims", &self.claims).finish_non_exhaustive()
    }
}

impl State {
    /// `GET /.well-known/oauth-authorization-server` (RFC 8414 §3.2): what it serves of it.
    pub(super) fn issuer_metadata(&self) -> Value {
        let base_url = &self.base_url;
        json!({"issuer": base_url, "jwks_uri": format!("{base_url}/oauth2/jwks")})
    }
}
