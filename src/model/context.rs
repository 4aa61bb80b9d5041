//! What an application tells WorkOS about the user's request.

use std::net::IpAddr;

use crate::wire::{ContextBody, RadarBody};

/// Where the user's request came from, for WorkOS's fraud detection and audit log. It is sent with a login. API calls that take
/// an address and a browser, but no device, have their own setters.
///
/// ```
/// use workos_auth::login::RequestContext;
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
    /// Without any value yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The IP address of the user's device.
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

    /// The application's own ID of the user's device.
    #[must_use]
    pub fn device_id(mut self, id: impl Into<String>) -> Self {
        self.device_id = Some(id.into());
        self
    }

    pub(crate) fn body(&self) -> ContextBody<'_> {
        ContextBody {
            ip_address: self.ip_address,
            user_agent: self.user_agent.as_deref(),
            device_id: self.device_id.as_deref(),
        }
    }
}

/// What WorkOS Radar, the fraud detection, knows about this visit.
#[derive(Clone, Debug, Default)]
pub struct RadarContext {
    auth_attempt_id: Option<String>,
    signals_id: Option<String>,
}

impl RadarContext {
    /// Without any value yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The ID that Radar gave to this attempt.
    #[must_use]
    pub fn auth_attempt_id(mut self, id: impl Into<String>) -> Self {
        self.auth_attempt_id = Some(id.into());
        self
    }

    /// The ID that Radar's browser script gave to this visit.
    #[must_use]
    pub fn signals_id(mut self, id: impl Into<String>) -> Self {
        self.signals_id = Some(id.into());
        self
    }

    pub(crate) fn body(&self) -> RadarBody<'_> {
        RadarBody { radar_auth_attempt_id: self.auth_attempt_id.as_deref(), signals_id: self.signals_id.as_deref() }
    }
}
