//! Sessions: their tokens, refresh with rotation, the list of a user, revocation and logout.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::redirect::is_loopback;
use super::refusal::Refusal;
use super::state::{RefreshToken, Rotation, Session, State};
use super::token_request::TokenRequest;
use super::user::TestUser;
use super::values::{after, api_time, random};

/// The lifetime that the API states. No session ends by it here.
const STATED_SESSION_LIFETIME: Duration = Duration::from_secs(30 * 86400);
/// A used refresh token returns the same token pair again within this time.
const REPLAY_WINDOW: Duration = Duration::from_secs(30);

impl Session {
    pub(super) fn new(user_id: String, confidential: bool, organization_id: Option<String>, now: Timestamp) -> Self {
        Self { user_id, confidential, organization_id, impersonator: None, started: now, ended: None }
    }

    pub(super) fn json(&self, id: &str) -> Value {
        let mut session = json!({
            "object": "session",
            "id": id,
            "user_id": self.user_id,
            "status": if self.ended.is_some() { "revoked" } else { "active" },
            "auth_method": if self.impersonator.is_some() { "impersonation" } else { "password" },
            "ip_address": null,
            "user_agent": null,
            "expires_at": api_time(after(self.started, STATED_SESSION_LIFETIME)),
            "ended_at": self.ended.map(api_time),
            "created_at": api_time(self.started),
            "updated_at": api_time(self.ended.unwrap_or(self.started)),
        });
        if let Some(id) = &self.organization_id {
            session["organization_id"] = json!(id);
        }
        if let Some(impersonator) = &self.impersonator {
            session["impersonator"] = json!({"email": impersonator.email, "reason": impersonator.reason});
        }
        session
    }
}

impl State {
    pub(super) fn start_session(&mut self, id: String, session: Session) -> Result<Value, Refusal> {
        self.sessions.insert(id.clone(), session);
        self.issue_tokens(&id)
    }

    /// The refresh grant with rotation (RFC 9700 §4.14.2). A client that lost the reply may repeat the request.
    pub(super) fn refresh(&mut self, request: &TokenRequest, confidential: bool) -> Result<Value, Refusal> {
        const INVALID: Refusal = Refusal::OAuth("invalid_grant", "The refresh token is unknown, expired or used.");
        let missing = Refusal::OAuth("invalid_request", "The refresh token is missing.");
        let given = request.refresh_token.as_deref().ok_or(missing)?;
        let now = self.now();
        let token = self.refresh_tokens.get(given).ok_or(INVALID)?;
        let session_id = token.session_id.clone();
        let session = self.sessions.get(&session_id).filter(|session| session.ended.is_none()).ok_or(INVALID)?;
        if session.confidential && !confidential {
            return Err(Refusal::OAuth("invalid_client", "The client secret is missing."));
        }
        if let Some(rotation) = &token.rotation {
            // Only the same request is a replay; a request for another organization isn't.
            let replay =
                now < after(rotation.time, REPLAY_WINDOW) && rotation.organization_id == request.organization_id;
            return if replay { Ok(rotation.reply.clone()) } else { Err(INVALID) };
        }
        if let Some(organization_id) = &request.organization_id {
            self.user(&session.user_id)?.check_member_of(organization_id)?;
            if let Some(session) = self.sessions.get_mut(&session_id) {
                session.organization_id = Some(organization_id.clone());
            }
        }
        let reply = self.issue_tokens(&session_id)?;
        self.refreshes += 1;
        if let Some(token) = self.refresh_tokens.get_mut(given) {
            let organization_id = request.organization_id.clone();
            token.rotation = Some(Rotation { time: now, organization_id, reply: reply.clone() });
        }
        Ok(reply)
    }

    fn issue_tokens(&mut self, session_id: &str) -> Result<Value, Refusal> {
        let session = self.sessions.get(session_id).ok_or(Refusal::Internal)?;
        let user = self.user(&session.user_id)?;
        let claims = self.claims(session_id, session, &user)?;
        let refresh_token = random("")?;
        let mut reply = json!({
            "user": user.json(Some(self.now())),
            "access_token": self.keys.first().ok_or(Refusal::Internal)?.sign(&claims)?,
            "refresh_token": refresh_token,
            "authentication_method": if session.impersonator.is_some() { "Impersonation" } else { "Password" },
        });
        if let Some(id) = &session.organization_id {
            reply["organization_id"] = json!(id);
        }
        if let Some(impersonator) = &session.impersonator {
            reply["impersonator"] = json!({"email": impersonator.email, "reason": impersonator.reason});
        }
        self.refresh_tokens.insert(refresh_token, RefreshToken { session_id: session_id.to_owned(), rotation: None });
        Ok(reply)
    }

    /// The claims of an access token.
    fn claims(&self, session_id: &str, session: &Session, user: &TestUser) -> Result<Value, Refusal> {
        let issued = self.token_skew.of(self.now());
        let mut claims = json!({
            "iss": self.base_url,
            "sub": user.id,
            "sid": session_id,
            "jti": random("")?,
            "client_id": self.config.client_id,
            "iat": issued.as_second(),
            "exp": after(issued, self.config.access_token_lifetime).as_second(),
        });
        if let Some(id) = &session.organization_id {
            claims["org_id"] = json!(id);
        }
        if let Some(membership) = session.organization_id.as_deref().and_then(|id| user.membership(id)) {
            if let Some(role) = user.role_in(membership) {
                claims["role"] = json!(role);
                claims["roles"] = json!([role]);
            }
            let permissions = user.permissions_in(membership);
            if !permissions.is_empty() {
                claims["permissions"] = json!(permissions);
            }
        }
        if let Some(impersonator) = &session.impersonator {
            claims["act"] = json!({"sub": impersonator.email});
        }
        Ok(claims)
    }

    /// `GET /user_management/users/{id}/sessions`: the oldest first.
    pub(super) fn sessions_of(&self, user_id: &str) -> Result<Vec<Value>, Refusal> {
        self.user(user_id)?;
        let mut sessions: Vec<_> = self.sessions.iter().filter(|(_, session)| session.user_id == user_id).collect();
        sessions.sort_by_key(|(id, session)| (session.started, *id));
        Ok(sessions.into_iter().map(|(id, session)| session.json(id)).collect())
    }

    /// `POST /user_management/sessions/revoke`
    pub(super) fn revoke_session(&mut self, id: &str) -> Result<(), Refusal> {
        if !self.sessions.contains_key(id) {
            return Err(Refusal::NotFound);
        }
        self.end_session(id);
        Ok(())
    }

    /// `GET /user_management/sessions/logout`. Returns where the browser is redirected, if anywhere.
    pub(super) fn log_out(&mut self, session_id: &str, return_to: Option<&str>) -> Option<String> {
        self.end_session(session_id);
        return_to.filter(|url| is_loopback(url)).map(str::to_owned)
    }

    pub(super) fn end_session(&mut self, id: &str) {
        let now = self.now();
        if let Some(session) = self.sessions.get_mut(id) {
            session.ended.get_or_insert(now);
        }
        self.refresh_tokens.retain(|_, token| token.session_id != id);
    }

    pub(super) fn end_sessions_of(&mut self, user_id: &str) {
        let sessions = self.sessions.iter().filter(|(_, session)| session.user_id == user_id);
        for id in sessions.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.end_session(&id);
        }
    }
}
