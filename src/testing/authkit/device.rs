//! Device login (RFC 8628).

use std::time::Duration;

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::state::{Device, DeviceDecision, Session, State};
use super::token_request::{TokenRequest, required};
use super::values::{after, random};

const DEVICE_CODE_LIFETIME: Duration = Duration::from_secs(300);

impl State {
    /// `POST /user_management/authorize/device` (RFC 8628 §3.1).
    pub(super) fn authorize_device(&mut self, client_id: Option<&str>) -> Result<Value, Refusal> {
        if !self.knows_client(client_id) {
            return Err(Refusal::OAuth("invalid_client", "The client is unknown."));
        }
        let device_code = random("device_")?;
        let user_code = random("")?.to_uppercase();
        let user_code = format!("{}-{}", &user_code[..4], &user_code[4..8]);
        let verification_uri = format!("{}/device", self.base_url);
        let reply = json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": verification_uri,
            "verification_uri_complete": format!("{verification_uri}?user_code={user_code}"),
            "expires_in": DEVICE_CODE_LIFETIME.as_secs(),
            "interval": 5,
        });
        let expires = after(self.now(), DEVICE_CODE_LIFETIME);
        self.devices.insert(device_code, Device { user_code, expires, decision: DeviceDecision::Pending });
        Ok(reply)
    }

    /// The device grant (RFC 8628 §3.5).
    pub(super) fn poll_device(&mut self, request: &TokenRequest) -> Result<Value, Refusal> {
        let given = required(request.device_code.as_ref())?;
        let now = self.now();
        let device = self.devices.get(given).ok_or(Refusal::OAuth("invalid_grant", "Unknown device code."))?;
        if now >= device.expires {
            return Err(Refusal::OAuth("expired_token", "The device code has expired."));
        }
        let user_id = match &device.decision {
            DeviceDecision::Pending => {
                return Err(Refusal::OAuth("authorization_pending", "The user has not finished."));
            }
            DeviceDecision::Denied => return Err(Refusal::OAuth("access_denied", "The user has denied it.")),
            DeviceDecision::Approved { user_id } => user_id.clone(),
        };
        let organization_id = self.user(&user_id)?.first_organization();
        self.devices.remove(given);
        let session = Session::new(user_id, false, organization_id, now);
        self.start_session(random("session_")?, session)
    }
}
