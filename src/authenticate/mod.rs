//! `POST /user_management/authenticate`: one file per grant, one way through for all of them.

mod code;
mod outcome;
mod refresh;

use std::net::IpAddr;

use http::Method;
use serde::Serialize;

pub use code::{CodeExchange, ImpersonationExchange};
pub use outcome::{Authentication, Rejected, UnfinishedLogin};
pub use refresh::RefreshGrant;

use crate::client::Caller;
use crate::transport::{Call, Failure, Fate, Repeat};
use crate::wire::{self, ContextBody, TokenRequest};
use outcome::Answer;

/// Where the user's own request came from, for WorkOS's fraud detection and audit log.
///
/// ```
/// use workos_auth::RequestContext;
///
/// let context = RequestContext::new().ip_address([203, 0, 113, 7]).user_agent("Mozilla/5.0");
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestContext {
    ip_address: Option<IpAddr>,
    user_agent: Option<String>,
    device_id: Option<String>,
}

impl RequestContext {
    /// Nothing known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The address of the user's device.
    #[must_use]
    pub fn ip_address(mut self, address: impl Into<IpAddr>) -> Self {
        self.ip_address = Some(address.into());
        self
    }

    /// The `User-Agent` of the user's browser.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// The application's own name for the user's device.
    #[must_use]
    pub fn device_id(mut self, id: impl Into<String>) -> Self {
        self.device_id = Some(id.into());
        self
    }

    fn body(&self) -> ContextBody<'_> {
        ContextBody {
            ip_address: self.ip_address,
            user_agent: self.user_agent.as_deref(),
            device_id: self.device_id.as_deref(),
        }
    }
}

/// Sends one grant and reads its answer.
async fn authenticate<K>(
    caller: &Caller<K>,
    grant_type: &'static str,
    grant: impl Serialize,
    repeat: Repeat,
) -> Result<Answer, Failure> {
    let identity = caller.identity();
    let unsent = |error| Failure { error, fate: Fate::Unused };
    let call = Call {
        method: Method::POST,
        route: wire::AUTHENTICATE,
        authorization: identity.api_key.map(wire::bearer).transpose().map_err(unsent)?,
        body: wire::body(&TokenRequest::new(grant_type, identity, grant)).map_err(unsent)?,
        repeat,
    };
    let reply = caller.client.core.send(call).await?;
    Answer::read(reply)
}
