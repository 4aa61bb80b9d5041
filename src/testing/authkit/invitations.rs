//! The endpoints of invitations.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::records::{ApiReply, Query, created, find, list, matching, ok, text};
use super::refusal::Refusal;
use super::state::State;
use super::values::{after, api_time, random};

const DAY: Duration = Duration::from_secs(86400);

impl State {
    /// `/user_management/invitations/…`
    pub(super) fn invitations_api(&mut self, method: &Method, path: &[&str], query: &Query, body: &Value) -> ApiReply {
        let now = self.now();
        self.expire_invitations(now);
        let invitations = &mut self.records.invitations;
        match (method.as_str(), path) {
            ("GET", []) => list(matching(invitations, query, &["email", "organization_id"]), query),
            ("POST", []) => self.create_invitation(body, now),
            ("GET", ["by_token", token]) => {
                let found = invitations.iter().find(|invitation| invitation["token"] == *token);
                ok(found.ok_or(Refusal::NotFound)?.clone())
            }
            ("GET", [id]) => ok(find(invitations, id)?.clone()),
            ("POST", [id, action @ ("accept" | "revoke" | "resend")]) => {
                let invitation = find(invitations, id)?;
                if invitation["state"] != "pending" {
                    return Err(Refusal::Code("invite_not_pending"));
                }
                invitation["updated_at"] = json!(api_time(now));
                if *action == "revoke" {
                    invitation["state"] = json!("revoked");
                    invitation["revoked_at"] = json!(api_time(now));
                }
                let invitation = invitation.clone();
                if *action == "accept" { self.accept_invitation(id, invitation, now) } else { ok(invitation) }
            }
            _ => Err(Refusal::NotFound),
        }
    }

    fn expire_invitations(&mut self, now: Timestamp) {
        for invitation in &mut self.records.invitations {
            if invitation["state"] == "pending" && invitation["expires_at"].as_str() <= Some(&api_time(now)) {
                invitation["state"] = json!("expired");
            }
        }
    }

    fn create_invitation(&mut self, body: &Value, now: Timestamp) -> ApiReply {
        let token = random("")?;
        let days = u32::try_from(body["expires_in_days"].as_u64().unwrap_or(7)).unwrap_or(7);
        let invitation = json!({
            "object": "invitation", "id": random("invitation_")?, "email": text(body, "email")?, "state": "pending",
            "accepted_at": null, "revoked_at": null, "expires_at": api_time(after(now, DAY * days)),
            "organization_id": body["organization_id"], "inviter_user_id": body["inviter_user_id"],
            "accepted_user_id": null, "role_slug": body["role_slug"], "token": token,
            "accept_invitation_url": format!("{}/invite?invitation_token={token}", self.base_url),
            "created_at": api_time(now), "updated_at": api_time(now),
        });
        self.records.invitations.push(invitation.clone());
        created(invitation)
    }

    fn accept_invitation(&mut self, id: &str, mut invitation: Value, now: Timestamp) -> ApiReply {
        let user_id = self.user_by_email(text(&invitation, "email")?).ok_or(Refusal::NotFound)?.id.clone();
        if let Some(organization) = invitation["organization_id"].as_str() {
            self.add_membership(&user_id, organization, invitation["role_slug"].as_str())?;
        }
        invitation["state"] = json!("accepted");
        invitation["accepted_at"] = json!(api_time(now));
        invitation["accepted_user_id"] = json!(user_id);
        find(&mut self.records.invitations, id)?.clone_from(&invitation);
        ok(invitation)
    }
}
