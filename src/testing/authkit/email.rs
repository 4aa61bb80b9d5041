//! The endpoints that send an e-mail and accept its code or token: verification, change of address, password reset,
//! Magic Auth.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::one_time_code::OneTimeCode;
use super::records::{ApiReply, created, find, ok, text};
use super::refusal::Refusal;
use super::state::State;
use super::user::TestUser;
use super::values::{after, api_time, random};

const RESET_TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

impl State {
    /// `/user_management/email_verification/…`, `…/password_reset/…` and `…/magic_auth/…`
    pub(super) fn email_api(&mut self, method: &Method, path: &[&str], body: &Value) -> ApiReply {
        match (method.as_str(), path) {
            ("GET", ["email_verification", id]) => ok(find(&mut self.records.email_verifications, id)?.clone()),
            ("POST", ["password_reset"]) => created(self.create_password_reset(text(body, "email")?)?),
            ("POST", ["password_reset", "confirm"]) => self.confirm_password_reset(body),
            ("GET", ["password_reset", id]) => ok(find(&mut self.records.password_resets, id)?.clone()),
            ("POST", ["magic_auth"]) => created(self.send_magic_auth(text(body, "email")?)?),
            ("GET", ["magic_auth", id]) => ok(find(&mut self.records.magic_auths, id)?.clone()),
            _ => Err(Refusal::NotFound),
        }
    }

    pub(super) fn send_email_verification(&mut self, user_id: &str) -> ApiReply {
        let user = self.user(user_id)?;
        let code = self.send_code(&user.id)?;
        self.records.email_verifications.push(email_record("email_verification", &user, &code)?);
        let reply = ok(json!({"user": user.json(None)}));
        self.verification_codes.insert(user.id, code);
        reply
    }

    pub(super) fn confirm_email_verification(&mut self, user_id: &str, body: &Value) -> ApiReply {
        let now = self.now();
        let code = self.verification_codes.get_mut(user_id);
        let code = code.ok_or(Refusal::Code("email_verification_code_incorrect"))?;
        code.check(text(body, "code")?, now)?;
        self.verification_codes.remove(user_id);
        let user = self.user_mut(user_id)?;
        user.email_verified = true;
        ok(json!({"user": user.json(None)}))
    }

    pub(super) fn send_email_change(&mut self, user_id: &str, body: &Value) -> ApiReply {
        let user = self.user(user_id)?;
        let email = text(body, "new_email")?;
        if self.user_by_email(email).is_some() {
            return Err(Refusal::Code("email_not_available"));
        }
        let code = self.send_code(&user.id)?;
        let reply = ok(json!({
            "object": "email_change", "user": user.json(None), "new_email": email,
            "expires_at": api_time(code.expires()), "created_at": api_time(code.sent()),
        }));
        self.email_changes.insert(user.id, (email.to_owned(), code));
        reply
    }

    pub(super) fn confirm_email_change(&mut self, user_id: &str, body: &Value) -> ApiReply {
        let now = self.now();
        let (email, code) = self.email_changes.get_mut(user_id).ok_or(Refusal::Code("invalid_one_time_code"))?;
        code.check(text(body, "code")?, now)?;
        let email = email.clone();
        self.email_changes.remove(user_id);
        let user = self.user_mut(user_id)?;
        (user.email, user.email_verified) = (email, true);
        ok(json!({"object": "email_change_confirmation", "user": user.json(None)}))
    }

    fn create_password_reset(&mut self, email: &str) -> Result<Value, Refusal> {
        let (now, token) = (self.now(), random("")?);
        let user = self.user_by_email(email).ok_or(Refusal::NotFound)?;
        let reset = json!({
            "object": "password_reset", "id": random("password_reset_")?, "user_id": user.id, "email": user.email,
            "password_reset_token": token,
            "password_reset_url": format!("{}/reset-password?token={token}", self.base_url),
            "expires_at": api_time(after(now, RESET_TOKEN_LIFETIME)), "created_at": api_time(now),
        });
        self.records.password_resets.push(reset.clone());
        Ok(reset)
    }

    fn confirm_password_reset(&mut self, body: &Value) -> ApiReply {
        let (token, password) = (text(body, "token")?, text(body, "new_password")?);
        let now = api_time(self.now());
        let resets = &mut self.records.password_resets;
        let index = resets.iter().position(|reset| reset["password_reset_token"] == token);
        let index = index.ok_or(Refusal::Code("password_reset_token_not_found"))?;
        if resets[index]["expires_at"].as_str() <= Some(&now) {
            return Err(Refusal::Code("password_reset_token_expired"));
        }
        // A token is valid once.
        let reset = resets.remove(index);
        let user = self.user_mut(text(&reset, "user_id")?)?;
        user.password = Some(password.to_owned());
        user.email_verified = true;
        ok(json!({"user": user.json(None)}))
    }

    pub(super) fn send_magic_auth(&mut self, email: &str) -> Result<Value, Refusal> {
        let user = self.user_by_email(email).ok_or(Refusal::NotFound)?.clone();
        let code = OneTimeCode::new(self.now())?;
        let record = email_record("magic_auth", &user, &code)?;
        self.records.magic_auths.push(record.clone());
        self.magic_auth_codes.insert(user.email, code);
        Ok(record)
    }
}

/// The record of an e-mail with a code.
fn email_record(object: &str, user: &TestUser, code: &OneTimeCode) -> Result<Value, Refusal> {
    let sent = api_time(code.sent());
    Ok(json!({
        "object": object, "id": random(&format!("{object}_"))?, "user_id": user.id, "email": user.email,
        "code": code.code(), "expires_at": api_time(code.expires()), "created_at": sent, "updated_at": sent,
    }))
}
