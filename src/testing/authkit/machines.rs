//! The machines: M2M applications of Connect, and their tokens.

use std::fmt;

use serde_json::{Value, json};

use super::AuthKit;
use super::refusal::Refusal;
use super::state::State;
use super::values::{after, random, same};
use crate::connect::MachineClient;
use crate::error::Error;
use crate::id::ClientId;
use crate::secret::MachineSecret;

/// A machine, for [`AuthKitBuilder::machine`](super::AuthKitBuilder::machine).
///
/// ```
/// use workos_auth::testing::TestMachine;
///
/// let machine = TestMachine::new("client_machine", "a-secret").scope("read:posts").organization("org_1");
/// ```
#[derive(Clone)]
pub struct TestMachine {
    client_id: String,
    secret: String,
    scopes: Vec<String>,
    organization_id: Option<String>,
    audience: Option<String>,
}

impl TestMachine {
    /// A machine with this client ID and secret.
    #[must_use]
    pub fn new(client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            secret: secret.into(),
            scopes: Vec::new(),
            organization_id: None,
            audience: None,
        }
    }

    /// Adds a scope that it may ask for. A token that is asked for without scopes has all of them.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// The organization that its tokens are for (`org_id`).
    #[must_use]
    pub fn organization(mut self, id: impl Into<String>) -> Self {
        self.organization_id = Some(id.into());
        self
    }

    /// Another audience of its tokens (`aud`). Unless given, it is the client ID of the AuthKit, as at WorkOS it is that of the
    /// environment: see [`ResourceServer::accept_client`](crate::connect::ResourceServer::accept_client).
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }
}

/// Without the secret.
impl fmt::Debug for TestMachine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TestMachine")
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// # Machines
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
impl AuthKit {
    /// A machine that gets its tokens from this AuthKit. It goes by the AuthKit's [clock](Self::clock).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a client ID or a secret that can't be one.
    pub fn machine_client(&self, client_id: &str, secret: &str) -> Result<MachineClient, Error> {
        let (client_id, secret) = (ClientId::new(client_id)?, MachineSecret::new(secret)?);
        Ok(MachineClient::of(self.client.separate().core, self.issuer(), client_id, secret))
    }
}

impl State {
    /// `POST /oauth2/token` (RFC 6749 §4.4). `field` reads the form.
    pub(super) fn machine_token(&self, field: impl Fn(&str) -> Option<String>) -> Result<Value, Refusal> {
        const INVALID_CLIENT: Refusal =
            Refusal::OAuth("invalid_client", "The client is unknown, or its secret is wrong.");
        if field("grant_type").as_deref() != Some("client_credentials") {
            return Err(Refusal::OAuth("unsupported_grant_type", "The grant type is not supported."));
        }
        let (client_id, secret) = (field("client_id"), field("client_secret").unwrap_or_default());
        let machine = self.config.machines.iter().find(|machine| Some(&machine.client_id) == client_id.as_ref());
        let machine = machine.filter(|machine| same(&secret, &machine.secret)).ok_or(INVALID_CLIENT)?;
        let scope = field("scope").unwrap_or_else(|| machine.scopes.join(" "));
        let is_allowed = |scope: &str| machine.scopes.iter().any(|allowed| allowed == scope);
        if !scope.split(' ').filter(|scope| !scope.is_empty()).all(is_allowed) {
            return Err(Refusal::OAuth("invalid_scope", "The machine may not have this scope."));
        }
        let (now, lifetime) = (self.token_skew.of(self.now()), self.config.access_token_lifetime);
        let mut claims = json!({
            "iss": self.base_url, "sub": machine.client_id, "client_id": machine.client_id, "scope": scope,
            "aud": machine.audience.as_ref().unwrap_or(&self.config.client_id), "org_id": machine.organization_id, "jti": random("")?,
            "iat": now.as_second(), "exp": after(now, lifetime).as_second(),
        });
        if let Some(claims) = claims.as_object_mut() {
            claims.retain(|_, value| !value.is_null());
        }
        let token = self.keys.first().ok_or(Refusal::Internal)?.sign(&claims)?;
        Ok(json!({
            "access_token": token, "token_type": "Bearer", "expires_in": lifetime.as_secs(), "scope": scope,
        }))
    }
}
