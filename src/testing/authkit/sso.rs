//! SSO without AuthKit: the code exchange, and the profile of the user.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::state::State;
use super::values::random;

impl State {
    /// `POST /sso/token`
    pub(super) fn exchange_sso_code(&mut self, body: &Value) -> Result<Value, Refusal> {
        let field = |name: &str| body[name].as_str();
        if !self.knows_client(field("client_id")) || !field("client_secret").is_some_and(|key| self.is_api_key(key)) {
            return Err(Refusal::OAuth("invalid_client", "The client is unknown, or its secret is wrong."));
        }
        if field("grant_type") != Some("authorization_code") {
            return Err(Refusal::OAuth("unsupported_grant_type", "The grant is not supported."));
        }
        let code = field("code").ok_or(Refusal::OAuth("invalid_request", "The code is missing."))?;
        let token = random("sso_")?;
        let user_id = self.redeem_code(code, field("code_verifier"), true, true, &token)?.user_id;
        let profile = self.user(&user_id)?.profile();
        self.sso_tokens.insert(token.clone(), user_id);
        Ok(json!({"token_type": "Bearer", "access_token": token, "expires_in": 600, "profile": profile}))
    }

    /// `GET /sso/profile`
    pub(super) fn sso_profile(&self, bearer: Option<&str>) -> Result<Value, Refusal> {
        let user_id = bearer.and_then(|token| self.sso_tokens.get(token)).ok_or(Refusal::Unauthorized)?;
        Ok(self.user(user_id)?.profile())
    }
}
