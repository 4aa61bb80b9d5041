//! The endpoints of users: creation, changes, deletion, and what belongs to a user.

use http::Method;
use serde_json::{Value, json};

use super::records::{ApiReply, Query, created, list, no_content, ok, text};
use super::refusal::Refusal;
use super::state::State;
use super::user::TestUser;
use super::values::random;

impl State {
    /// `/user_management/users/…`
    pub(super) fn users_api(&mut self, method: &Method, path: &[&str], query: &Query, body: &Value) -> ApiReply {
        let now = self.now();
        match (method.as_str(), path) {
            ("GET", []) => self.list_users(query),
            ("POST", []) => self.create_user(body),
            ("GET", ["external_id", external_id]) => {
                let found = self.users.iter().find(|user| user.external_id.as_deref() == Some(external_id));
                ok(found.ok_or(Refusal::NotFound)?.json(None))
            }
            ("GET", [id]) => ok(self.user(id)?.json(None)),
            ("PUT", [id]) => {
                let user = self.user_mut(id)?;
                user.update(body, now);
                ok(user.json(None))
            }
            ("DELETE", [id]) => self.delete_user(id),
            ("GET", [id, "identities"]) => {
                self.user(id)?;
                ok(json!([]))
            }
            ("GET", [id, "sessions"]) => list(self.sessions_of(id)?, query),
            ("POST", [id, "auth_factors"]) => self.enroll_user_factor(id, body),
            ("GET", [id, "auth_factors"]) => {
                self.user(id)?;
                list(self.factors.of_user(id), query)
            }
            ("POST", [id, "email_verification", "send"]) => self.send_email_verification(id),
            ("POST", [id, "email_verification", "confirm"]) => self.confirm_email_verification(id, body),
            ("POST", [id, "email_change", "send"]) => self.send_email_change(id, body),
            ("POST", [id, "email_change", "confirm"]) => self.confirm_email_change(id, body),
            _ => Err(Refusal::NotFound),
        }
    }

    fn list_users(&self, query: &Query) -> ApiReply {
        let organization = query.get("organization_id");
        let wanted = |user: &&TestUser| {
            query.get("email").is_none_or(|email| user.email.eq_ignore_ascii_case(email))
                && organization.is_none_or(|id| user.membership(id).is_some())
        };
        list(self.users.iter().filter(wanted).map(|user| user.json(None)).collect(), query)
    }

    fn create_user(&mut self, body: &Value) -> ApiReply {
        let email = text(body, "email")?;
        if self.user_by_email(email).is_some() {
            return Err(Refusal::Code("user_creation_error"));
        }
        let now = self.now();
        let mut user = TestUser::new(email).unverified();
        user.id = random("user_")?;
        user.created_at = now;
        user.update(body, now);
        let shown = user.json(None);
        self.users.push(user);
        created(shown)
    }

    fn delete_user(&mut self, id: &str) -> ApiReply {
        self.user(id)?;
        self.users.retain(|user| user.id != id);
        self.records.memberships.retain(|record| record["user_id"] != id);
        self.end_sessions_of(id);
        no_content()
    }

    fn enroll_user_factor(&mut self, id: &str, body: &Value) -> ApiReply {
        let (user, now) = (self.user(id)?, self.now());
        if body["type"] != "totp" {
            return Err(Refusal::OAuth("invalid_request", "The factor is not a TOTP factor."));
        }
        let factor = self.factors.enroll_totp(Some(&user.id), body, &user.email, now)?;
        let challenge = self.factors.challenge(text(&factor, "id")?, now)?;
        created(json!({"authentication_factor": factor, "authentication_challenge": challenge}))
    }
}
