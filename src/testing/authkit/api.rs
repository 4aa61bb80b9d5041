//! The table of the endpoints that need an API key.

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::records::{ApiReply, Query, created, no_content, ok, text};
use super::refusal::Refusal;
use super::state::State;

impl State {
    /// Serves a request whose API key was checked.
    pub(super) fn api(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> ApiReply {
        let query: Query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let decode = |segment| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let path: Vec<String> = path.split('/').skip(1).map(decode).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["user_management", "users", id, "api_keys"] => self.user_keys_api(method, id, &query, body),
            ["organizations", id, "api_keys"] => self.organization_keys_api(method, id, &query, body),
            ["api_keys", rest @ ..] => self.customer_keys_api(method, rest, body),
            ["user_management", "users", rest @ ..] => self.users_api(method, rest, &query, body),
            ["user_management", "invitations", rest @ ..] => self.invitations_api(method, rest, &query, body),
            ["user_management", "organization_memberships", rest @ ..] => {
                self.memberships_api(method, rest, &query, body)
            }
            ["user_management", "email_verification" | "password_reset" | "magic_auth", ..] => {
                self.email_api(method, &path[1..], body)
            }
            ["user_management", "radar_challenges"] if method == Method::POST => created(self.send_radar_sms(body)?),
            ["user_management", "radar_challenges", id] if method == Method::GET => ok(self.radar_challenge(id)?),
            ["user_management", "sessions", "revoke"] if method == Method::POST => {
                self.revoke_session(text(body, "session_id")?)?;
                ok(json!({}))
            }
            ["auth", rest @ ..] => self.factors_api(method, rest, body),
            _ => Err(Refusal::NotFound),
        }
    }

    /// `/auth/…`
    fn factors_api(&mut self, method: &Method, path: &[&str], body: &Value) -> ApiReply {
        let now = self.now();
        match (method.as_str(), path) {
            ("POST", ["factors", "enroll"]) => created(self.factors.enroll(body, now)?),
            ("GET", ["factors", id]) => ok(self.factors.get(id)?),
            ("DELETE", ["factors", id]) => {
                self.factors.delete(id)?;
                no_content()
            }
            ("POST", ["factors", id, "challenge"]) => created(self.factors.challenge(id, now)?),
            ("POST", ["challenges", id, "verify"]) => created(self.factors.verify(id, text(body, "code")?, now)?),
            _ => Err(Refusal::NotFound),
        }
    }
}
