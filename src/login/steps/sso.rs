//! The steps that another login continues: over SSO, or with a method that the organization allows.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Step, redacted};
use crate::client::{Caller, Client};
use crate::error::{Error, ErrorCode};
use crate::id::{ConnectionId, RedirectUri};
use crate::login::authorize::{AuthorizationBuilder, SsoTarget};
use crate::rejected::Rejected;
use crate::secret::PendingAuthenticationToken;
use crate::transport::{Reply, parse};

/// The user must sign in over SSO.
#[must_use = "the login is not finished: begin another with `authorize(connection, redirect)`"]
pub struct SsoRequired<K> {
    pub(crate) caller: Caller<K>,
    pub(crate) email: Option<String>,
    pub(crate) connection_ids: Vec<ConnectionId>,
    pub(crate) token: Option<PendingAuthenticationToken>,
}

impl<K> SsoRequired<K> {
    /// The user's e-mail address, if the API says.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The connections that the user may sign in over.
    #[must_use]
    pub fn connection_ids(&self) -> &[ConnectionId] {
        &self.connection_ids
    }

    /// The token that links the SSO login to this one, if the API returned one.
    #[must_use]
    pub fn pending_authentication_token(&self) -> Option<&PendingAuthenticationToken> {
        self.token.as_ref()
    }

    /// Starts a login over one of the connections; this one ends.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `connection_id` if it isn't listed; the step is
    /// returned.
    pub fn authorize(
        self,
        connection: &ConnectionId,
        redirect_uri: RedirectUri,
    ) -> Result<AuthorizationBuilder<K, SsoTarget>, Rejected<Self>> {
        if self.connection_ids.contains(connection) {
            Ok(AuthorizationBuilder::new(self.caller, redirect_uri).connection(connection.clone()))
        } else {
            Err(Rejected::returning(
                Error::invalid_value("connection_id", "isn't one of the connections of this step"),
                self,
            ))
        }
    }
}

/// The organization doesn't allow the way to sign in that was used, and allows others.
#[must_use = "the login is not finished: begin another with one of the `allowed_methods()`"]
pub struct OrganizationMethodsRequired<K> {
    pub(crate) caller: Caller<K>,
    pub(crate) email: Option<String>,
    pub(crate) sso_connection_ids: Vec<ConnectionId>,
    pub(crate) methods: BTreeMap<String, bool>,
    pub(crate) token: Option<PendingAuthenticationToken>,
}

impl<K> OrganizationMethodsRequired<K> {
    /// The user's e-mail address, if the API says.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The SSO connections that the user may sign in over.
    #[must_use]
    pub fn sso_connection_ids(&self) -> &[ConnectionId] {
        &self.sso_connection_ids
    }

    /// The names of the methods that the organization allows, such as `password` or `google_oauth`.
    pub fn allowed_methods(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().filter(|(_, allowed)| **allowed).map(|(name, _)| name.as_str())
    }

    /// The token that links the next login to this one, if the API returned one.
    #[must_use]
    pub fn pending_authentication_token(&self) -> Option<&PendingAuthenticationToken> {
        self.token.as_ref()
    }

    /// The client that began the login, to begin another one.
    #[must_use]
    pub fn client(&self) -> &Client<K> {
        &self.caller.client
    }
}

#[derive(Default, Deserialize)]
struct SsoReply {
    email: Option<String>,
    connection_ids: Option<Vec<ConnectionId>>,
    sso_connection_ids: Option<Vec<ConnectionId>>,
    auth_methods: Option<BTreeMap<String, bool>>,
}

pub(super) fn read<K>(
    code: &ErrorCode,
    reply: &Reply,
    caller: Caller<K>,
    token: Option<PendingAuthenticationToken>,
) -> Step<K> {
    let SsoReply { email, connection_ids, sso_connection_ids, auth_methods } = parse(reply).unwrap_or_default();
    if *code == ErrorCode::SsoRequired {
        let connection_ids = connection_ids.unwrap_or_default();
        return Step::SsoRequired(SsoRequired { caller, email, connection_ids, token });
    }
    Step::OrganizationMethodsRequired(OrganizationMethodsRequired {
        caller,
        email,
        sso_connection_ids: sso_connection_ids.unwrap_or_default(),
        methods: auth_methods.unwrap_or_default(),
        token,
    })
}

redacted! {
    SsoRequired { connection_ids };
    OrganizationMethodsRequired { sso_connection_ids, methods };
}
