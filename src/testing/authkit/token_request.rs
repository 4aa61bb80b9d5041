//! The body of `POST /user_management/authenticate`.

use serde::Deserialize;

use super::refusal::Refusal;

/// The parameters of all grants.
#[derive(Deserialize)]
pub(super) struct TokenRequest {
    pub(super) grant_type: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<String>,
    pub(super) code: Option<String>,
    pub(super) code_verifier: Option<String>,
    pub(super) refresh_token: Option<String>,
    pub(super) organization_id: Option<String>,
    pub(super) email: Option<String>,
    pub(super) password: Option<String>,
    pub(super) device_code: Option<String>,
    pub(super) pending_authentication_token: Option<String>,
    pub(super) authentication_challenge_id: Option<String>,
    pub(super) radar_challenge_id: Option<String>,
    pub(super) verification_id: Option<String>,
    pub(super) phone_number: Option<String>,
}

pub(super) fn required(parameter: Option<&String>) -> Result<&str, Refusal> {
    parameter.map(String::as_str).ok_or(Refusal::MISSING_PARAMETER)
}
