//! The endpoints that need an API key, as the in-process AuthKit serves them: on the users who sign in there.

#![allow(clippy::unnecessary_wraps, reason = "each arm of the table ends with its answer")]

use std::collections::HashMap;
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::authkit::{Refusal, Service, State, TestUser, after, random};
use super::login::{CODE_LIFETIME, OneTimeCode};

const RESET_LIFETIME: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86400);

/// What the API keeps beside users, sessions and factors; each list the oldest first.
#[derive(Default)]
pub(super) struct Directory {
    email_verifications: Vec<Value>,
    password_resets: Vec<Value>,
    magic_auths: Vec<Value>,
    invitations: Vec<Value>,
    memberships: Vec<Value>,
    /// By user: the code that verifies the address.
    verification_codes: HashMap<String, OneTimeCode>,
    /// By user: the new address, and the code that confirms it.
    email_changes: HashMap<String, (String, OneTimeCode)>,
}

type Answer = Result<(StatusCode, Value), Refusal>;

fn ok(value: Value) -> Answer {
    Ok((StatusCode::OK, value))
}

fn created(value: Value) -> Answer {
    Ok((StatusCode::CREATED, value))
}

fn gone() -> Answer {
    Ok((StatusCode::NO_CONTENT, Value::Null))
}

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    body[name].as_str().ok_or(Refusal::OAuth("invalid_request", "A parameter is missing."))
}

fn find<'a>(records: &'a mut [Value], id: &str) -> Result<&'a mut Value, Refusal> {
    records.iter_mut().find(|record| record["id"] == id).ok_or(Refusal::NotFound)
}

fn matching(records: &[Value], query: &Query, fields: &[&str]) -> Vec<Value> {
    let wanted =
        |record: &&Value| fields.iter().all(|field| query.get(*field).is_none_or(|value| record[field] == *value));
    records.iter().filter(wanted).cloned().collect()
}

type Query = HashMap<String, String>;

/// A page of records that come the oldest first.
fn page(mut records: Vec<Value>, query: &Query) -> Answer {
    if query.get("order").is_none_or(|order| order != "asc") {
        records.reverse();
    }
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10_usize).clamp(1, 100);
    let place = |name: &str| {
        let id = query.get(name)?;
        records.iter().position(|record| record["id"] == *id)
    };
    let (first, last) = match (place("after"), place("before")) {
        (Some(index), _) => (index + 1, records.len().min(index + 1 + limit)),
        (None, Some(index)) => (index.saturating_sub(limit), index),
        (None, None) => (0, records.len().min(limit)),
    };
    let cursor = |more: bool, index: usize| if more { records[index]["id"].clone() } else { Value::Null };
    let before = cursor(first > 0 && first < last, first);
    let after = cursor(last < records.len() && first < last, last.saturating_sub(1));
    ok(json!({
        "object": "list",
        "data": &records[first.min(last)..last],
        "list_metadata": {"before": before, "after": after},
    }))
}

impl Service {
    /// Any endpoint that needs the API key; the key was checked.
    pub(super) fn api(&self, method: &Method, path: &str, query: &str, body: &Value) -> Answer {
        let query: Query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let decoded: Vec<String> = path
            .split('/')
            .skip(1)
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let path: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let mut state = self.state();
        match (path.as_slice(), method.as_str()) {
            (["user_management", "users", rest @ ..], method) => {
                Self::users_api(&mut state, method, rest, &query, body)
            }
            (["user_management", "invitations", rest @ ..], method) => {
                self.invitations_api(&mut state, method, rest, &query, body)
            }
            (["user_management", "organization_memberships", rest @ ..], method) => {
                Self::memberships_api(&mut state, method, rest, &query, body)
            }
            (["user_management", "email_verification", id], "GET") => {
                ok(find(&mut state.directory.email_verifications, id)?.clone())
            }
            (["user_management", "password_reset"], "POST") => {
                created(self.make_password_reset(&mut state, text(body, "email")?)?)
            }
            (["user_management", "password_reset", "confirm"], "POST") => Self::reset_password(&mut state, body),
            (["user_management", "password_reset", id], "GET") => {
                ok(find(&mut state.directory.password_resets, id)?.clone())
            }
            (["user_management", "magic_auth"], "POST") => {
                created(Self::make_magic_auth(&mut state, text(body, "email")?)?)
            }
            (["user_management", "magic_auth", id], "GET") => ok(find(&mut state.directory.magic_auths, id)?.clone()),
            (["user_management", "radar_challenges"], "POST") => created(Self::send_radar_sms(&mut state, body)?),
            (["user_management", "radar_challenges", id], "GET") => ok(state.logins.radar_challenge(id)?),
            (["user_management", "sessions", "revoke"], "POST") => {
                state.revoke_session(text(body, "session_id")?)?;
                ok(json!({}))
            }
            (["auth", "factors", "enroll"], "POST") => created(Self::enroll_own_factor(&mut state, body)?),
            (["auth", "factors", id], "GET") => ok(state.logins.factor(id)?),
            (["auth", "factors", id], "DELETE") => {
                state.logins.delete_factor(id)?;
                gone()
            }
            (["auth", "factors", id, "challenge"], "POST") => created(Self::challenge_factor(&mut state, id)?),
            (["auth", "challenges", id, "verify"], "POST") => {
                created(Self::verify_challenge(&mut state, id, text(body, "code")?)?)
            }
            _ => Err(Refusal::NotFound),
        }
    }

    fn users_api(state: &mut State, method: &str, path: &[&str], query: &Query, body: &Value) -> Answer {
        match (method, path) {
            ("GET", []) => {
                let organization = query.get("organization_id");
                let wanted = |user: &&TestUser| {
                    query.get("email").is_none_or(|email| user.email.eq_ignore_ascii_case(email))
                        && organization.is_none_or(|id| user.organizations.contains(id))
                };
                page(state.users.iter().filter(wanted).map(|user| user.json(None)).collect(), query)
            }
            ("POST", []) => {
                let email = text(body, "email")?;
                if state.user_by_email(email).is_some() {
                    return Err(Refusal::Code("user_creation_error"));
                }
                let mut user = TestUser::new(email).unverified();
                user.id = random("user_")?;
                user.created_at = state.now();
                user.change(body, state.now());
                let shown = user.json(None);
                state.users.push(user);
                created(shown)
            }
            ("GET", ["external_id", external_id]) => {
                let found = state.users.iter().find(|user| user.external_id.as_deref() == Some(external_id));
                ok(found.ok_or(Refusal::NotFound)?.json(None))
            }
            ("GET", [id]) => ok(state.user(id)?.json(None)),
            ("PUT", [id]) => {
                let now = state.now();
                let user = state.user_mut(id)?;
                user.change(body, now);
                ok(user.json(None))
            }
            ("DELETE", [id]) => {
                state.delete_user(id)?;
                gone()
            }
            ("GET", [id, "identities"]) => state.user(id).and_then(|_| ok(json!([]))),
            ("GET", [id, "sessions"]) => page(state.sessions_of(id)?, query),
            ("POST", [id, "auth_factors"]) => created(Self::enroll_factor(state, id, body)?),
            ("GET", [id, "auth_factors"]) => {
                state.user(id)?;
                page(state.logins.factors_of(id), query)
            }
            ("POST", [id, "email_verification", "send"]) => {
                let (user, now) = (state.user(id)?, state.now());
                let code = OneTimeCode::new(now)?;
                let record = emailed("email_verification", &user, &code, now)?;
                state.directory.email_verifications.push(record);
                state.logins.sent.insert(user.id.clone(), code.code.clone());
                state.directory.verification_codes.insert(user.id.clone(), code);
                ok(json!({"user": user.json(None)}))
            }
            ("POST", [id, "email_verification", "confirm"]) => {
                let now = state.now();
                let code = state.directory.verification_codes.get_mut(*id);
                let code = code.ok_or(Refusal::Code("email_verification_code_incorrect"))?;
                code.check(text(body, "code")?, now)?;
                state.directory.verification_codes.remove(*id);
                let user = state.user_mut(id)?;
                user.email_verified = true;
                ok(json!({"user": user.json(None)}))
            }
            ("POST", [id, "email_change", "send"]) => {
                let (user, now) = (state.user(id)?, state.now());
                let (email, code) = (text(body, "new_email")?, OneTimeCode::new(now)?);
                if state.user_by_email(email).is_some() {
                    return Err(Refusal::Code("email_not_available"));
                }
                state.logins.sent.insert(user.id.clone(), code.code.clone());
                state.directory.email_changes.insert(user.id.clone(), (email.to_owned(), code));
                ok(json!({
                    "object": "email_change", "user": user.json(None), "new_email": email,
                    "expires_at": written(after(now, CODE_LIFETIME)), "created_at": written(now),
                }))
            }
            ("POST", [id, "email_change", "confirm"]) => {
                let now = state.now();
                let (email, code) =
                    state.directory.email_changes.get_mut(*id).ok_or(Refusal::Code("invalid_one_time_code"))?;
                code.check(text(body, "code")?, now)?;
                let email = email.clone();
                state.directory.email_changes.remove(*id);
                let user = state.user_mut(id)?;
                (user.email, user.email_verified) = (email, true);
                ok(json!({"object": "email_change_confirmation", "user": user.json(None)}))
            }
            _ => Err(Refusal::NotFound),
        }
    }

    fn invitations_api(&self, state: &mut State, method: &str, path: &[&str], query: &Query, body: &Value) -> Answer {
        let now = state.now();
        for invitation in &mut state.directory.invitations {
            if invitation["state"] == "pending" && invitation["expires_at"].as_str() <= Some(&written(now)) {
                invitation["state"] = json!("expired");
            }
        }
        match (method, path) {
            ("GET", []) => page(matching(&state.directory.invitations, query, &["email", "organization_id"]), query),
            ("POST", []) => {
                let token = random("")?;
                let days = u32::try_from(body["expires_in_days"].as_u64().unwrap_or(7)).unwrap_or(7);
                let invitation = json!({
                    "object": "invitation", "id": random("invitation_")?, "email": text(body, "email")?, "state": "pending",
                    "accepted_at": null, "revoked_at": null, "expires_at": written(after(now, DAY * days)),
                    "organization_id": body["organization_id"], "inviter_user_id": body["inviter_user_id"],
                    "accepted_user_id": null, "role_slug": body["role_slug"], "token": token,
                    "accept_invitation_url": format!("{}/invite?invitation_token={token}", self.issuer()),
                    "created_at": written(now), "updated_at": written(now),
                });
                state.directory.invitations.push(invitation.clone());
                created(invitation)
            }
            ("GET", ["by_token", token]) => {
                let found = state.directory.invitations.iter().find(|invitation| invitation["token"] == *token);
                ok(found.ok_or(Refusal::NotFound)?.clone())
            }
            ("GET", [id]) => ok(find(&mut state.directory.invitations, id)?.clone()),
            ("POST", [id, action @ ("accept" | "revoke" | "resend")]) => {
                let invitation = find(&mut state.directory.invitations, id)?;
                if invitation["state"] != "pending" {
                    return Err(Refusal::Code("invite_not_pending"));
                }
                invitation["updated_at"] = json!(written(now));
                if *action == "revoke" {
                    invitation["state"] = json!("revoked");
                    invitation["revoked_at"] = json!(written(now));
                }
                let mut invitation = invitation.clone();
                if *action == "accept" {
                    let user = state.user_by_email(text(&invitation, "email")?).ok_or(Refusal::NotFound)?.id.clone();
                    if let Some(organization) = invitation["organization_id"].as_str() {
                        state.add_membership(&user, organization, invitation["role_slug"].as_str())?;
                    }
                    invitation["state"] = json!("accepted");
                    invitation["accepted_at"] = json!(written(now));
                    invitation["accepted_user_id"] = json!(user);
                    find(&mut state.directory.invitations, id)?.clone_from(&invitation);
                }
                ok(invitation)
            }
            _ => Err(Refusal::NotFound),
        }
    }

    fn memberships_api(state: &mut State, method: &str, path: &[&str], query: &Query, body: &Value) -> Answer {
        let role = || body["role_slug"].as_str().or(body["role_slugs"][0].as_str());
        match (method, path) {
            ("GET", []) => {
                let statuses = query.get("statuses").map_or("active", String::as_str);
                let mut found = matching(&state.directory.memberships, query, &["user_id", "organization_id"]);
                found.retain(|record| statuses.split(',').any(|status| record["status"] == status));
                page(found, query)
            }
            ("POST", []) => {
                created(state.add_membership(text(body, "user_id")?, text(body, "organization_id")?, role())?)
            }
            ("GET", [id]) => ok(find(&mut state.directory.memberships, id)?.clone()),
            ("GET", [id, "groups"]) => find(&mut state.directory.memberships, id).and_then(|_| page(Vec::new(), query)),
            ("PUT", [id]) => {
                let now = written(state.now());
                let membership = find(&mut state.directory.memberships, id)?;
                if let Some(role) = role() {
                    membership["role"] = json!({"slug": role});
                    membership["roles"] = json!([{"slug": role}]);
                    membership["updated_at"] = json!(now);
                }
                let membership = membership.clone();
                state.apply_membership(&membership)?;
                ok(membership)
            }
            ("PUT", [id, action @ ("deactivate" | "reactivate")]) => {
                let membership = find(&mut state.directory.memberships, id)?;
                membership["status"] = json!(if *action == "deactivate" { "inactive" } else { "active" });
                let membership = membership.clone();
                state.apply_membership(&membership)?;
                ok(membership)
            }
            ("DELETE", [id]) => {
                let membership = find(&mut state.directory.memberships, id)?;
                membership["status"] = json!("inactive");
                let membership = membership.clone();
                state.apply_membership(&membership)?;
                state.directory.memberships.retain(|record| record["id"] != *id);
                gone()
            }
            _ => Err(Refusal::NotFound),
        }
    }

    fn make_password_reset(&self, state: &mut State, email: &str) -> Result<Value, Refusal> {
        let (now, token) = (state.now(), random("")?);
        let user = state.user_by_email(email).ok_or(Refusal::NotFound)?;
        let reset = json!({
            "object": "password_reset", "id": random("password_reset_")?, "user_id": user.id, "email": user.email,
            "password_reset_token": token,
            "password_reset_url": format!("{}/reset-password?token={token}", self.issuer()),
            "expires_at": written(after(now, RESET_LIFETIME)), "created_at": written(now),
        });
        state.directory.password_resets.push(reset.clone());
        Ok(reset)
    }

    fn reset_password(state: &mut State, body: &Value) -> Answer {
        let (token, password) = (text(body, "token")?, text(body, "new_password")?);
        let now = written(state.now());
        let resets = &mut state.directory.password_resets;
        let index = resets.iter().position(|reset| reset["password_reset_token"] == token);
        let index = index.ok_or(Refusal::Code("password_reset_token_not_found"))?;
        if resets[index]["expires_at"].as_str() <= Some(&now) {
            return Err(Refusal::Code("password_reset_token_expired"));
        }
        // A token is good once.
        let reset = resets.remove(index);
        let user = state.user_mut(text(&reset, "user_id")?)?;
        user.password = Some(password.to_owned());
        user.email_verified = true;
        ok(json!({"user": user.json(None)}))
    }

    /// Sends a Magic Auth e-mail.
    pub(super) fn make_magic_auth(state: &mut State, email: &str) -> Result<Value, Refusal> {
        let now = state.now();
        let user = state.user_by_email(email).ok_or(Refusal::NotFound)?.clone();
        let code = OneTimeCode::new(now)?;
        let record = emailed("magic_auth", &user, &code, now)?;
        state.directory.magic_auths.push(record.clone());
        state.logins.magic_auth.insert(user.email, code);
        Ok(record)
    }
}

/// A record of an e-mail with a code.
fn emailed(object: &str, user: &TestUser, code: &OneTimeCode, now: Timestamp) -> Result<Value, Refusal> {
    Ok(json!({
        "object": object, "id": random(&format!("{object}_"))?, "user_id": user.id, "email": user.email, "code": code.code,
        "expires_at": written(after(now, CODE_LIFETIME)), "created_at": written(now), "updated_at": written(now),
    }))
}

/// A time as the API writes it; equal lengths, so that they compare as texts.
pub(super) fn written(time: Timestamp) -> String {
    format!("{time:.3}")
}

impl State {
    /// Gives a user the memberships that the user was made with.
    pub(super) fn enroll_members(&mut self) -> Result<(), Refusal> {
        for user in self.users.clone() {
            for organization in &user.organizations {
                self.add_membership(&user.id, organization, user.role.as_deref())?;
            }
        }
        Ok(())
    }

    fn add_membership(&mut self, user_id: &str, organization_id: &str, role: Option<&str>) -> Result<Value, Refusal> {
        let now = written(self.now());
        let user = self.user(user_id)?;
        let known = |record: &Value| record["user_id"] == user_id && record["organization_id"] == organization_id;
        if self.directory.memberships.iter().any(known) {
            return Err(Refusal::Code("organization_membership_already_exists"));
        }
        let role = role.unwrap_or("member");
        let membership = json!({
            "object": "organization_membership", "id": random("om_")?, "user_id": user_id, "organization_id": organization_id,
            "organization_name": format!("Organization {organization_id}"), "status": "active",
            "role": {"slug": role}, "roles": [{"slug": role}], "directory_managed": false, "custom_attributes": {},
            "user": user.json(None), "created_at": now, "updated_at": now,
        });
        self.directory.memberships.push(membership.clone());
        if role != "member" {
            self.apply_membership(&membership)?;
        } else if let Ok(user) = self.user_mut(user_id) {
            user.join(organization_id);
        }
        Ok(membership)
    }

    /// Lets the user's next tokens say what a membership says.
    fn apply_membership(&mut self, membership: &Value) -> Result<(), Refusal> {
        let organization = text(membership, "organization_id")?;
        let user = self.user_mut(text(membership, "user_id")?)?;
        if membership["status"] == "active" {
            user.join(organization);
        } else {
            user.organizations.retain(|id| id != organization);
        }
        user.role = membership["role"]["slug"].as_str().map(str::to_owned);
        Ok(())
    }

    fn delete_user(&mut self, id: &str) -> Result<(), Refusal> {
        self.user(id)?;
        self.users.retain(|user| user.id != id);
        self.directory.memberships.retain(|record| record["user_id"] != id);
        self.end_sessions_of(id);
        Ok(())
    }
}
