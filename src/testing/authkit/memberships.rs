//! The endpoints of organization memberships.

use http::Method;
use serde_json::{Value, json};

use super::records::{ApiReply, Query, created, find, list, matching, no_content, ok, text};
use super::refusal::Refusal;
use super::state::State;
use super::values::{api_time, random};

impl State {
    /// `/user_management/organization_memberships/…`
    pub(super) fn memberships_api(&mut self, method: &Method, path: &[&str], query: &Query, body: &Value) -> ApiReply {
        let role = body["role_slug"].as_str().or(body["role_slugs"][0].as_str());
        let now = api_time(self.now());
        let memberships = &mut self.records.memberships;
        match (method.as_str(), path) {
            ("GET", []) => {
                let statuses = query.get("statuses").map_or("active", String::as_str);
                let mut found = matching(memberships, query, &["user_id", "organization_id"]);
                found.retain(|record| statuses.split(',').any(|status| record["status"] == status));
                list(found, query)
            }
            ("POST", []) => {
                created(self.add_membership(text(body, "user_id")?, text(body, "organization_id")?, role)?)
            }
            ("GET", [id]) => ok(find(memberships, id)?.clone()),
            ("GET", [id, "groups"]) => {
                find(memberships, id)?;
                list(Vec::new(), query)
            }
            ("PUT", [id]) => {
                let membership = find(memberships, id)?;
                if let Some(role) = role {
                    membership["role"] = json!({"slug": role});
                    membership["roles"] = json!([{"slug": role}]);
                    membership["updated_at"] = json!(now);
                }
                let membership = membership.clone();
                self.apply_membership(&membership)?;
                ok(membership)
            }
            ("PUT", [id, "deactivate"]) => ok(self.set_membership_status(id, "inactive")?),
            ("PUT", [id, "reactivate"]) => ok(self.set_membership_status(id, "active")?),
            ("DELETE", [id]) => {
                self.set_membership_status(id, "inactive")?;
                self.records.memberships.retain(|record| record["id"] != *id);
                no_content()
            }
            _ => Err(Refusal::NotFound),
        }
    }

    /// Adds the memberships that the test has configured for its users.
    pub(super) fn add_configured_memberships(&mut self) -> Result<(), Refusal> {
        for user in self.users.clone() {
            for membership in &user.organizations {
                self.add_membership(&user.id, &membership.organization_id, user.role_in(membership))?;
            }
        }
        Ok(())
    }

    pub(super) fn add_membership(
        &mut self,
        user_id: &str,
        organization_id: &str,
        role: Option<&str>,
    ) -> Result<Value, Refusal> {
        let now = api_time(self.now());
        let user = self.user(user_id)?;
        let same = |record: &Value| record["user_id"] == user_id && record["organization_id"] == organization_id;
        if self.records.memberships.iter().any(same) {
            return Err(Refusal::Code("organization_membership_already_exists"));
        }
        let role = role.unwrap_or("member");
        let membership = json!({
            "object": "organization_membership", "id": random("om_")?, "user_id": user_id,
            "organization_id": organization_id, "organization_name": format!("Organization {organization_id}"),
            "status": "active", "role": {"slug": role}, "roles": [{"slug": role}], "directory_managed": false,
            "custom_attributes": {}, "user": user.json(None), "created_at": now, "updated_at": now,
        });
        self.records.memberships.push(membership.clone());
        if role != "member" {
            self.apply_membership(&membership)?;
        } else if let Ok(user) = self.user_mut(user_id) {
            user.add_organization(organization_id);
        }
        Ok(membership)
    }

    fn set_membership_status(&mut self, id: &str, status: &str) -> Result<Value, Refusal> {
        let membership = find(&mut self.records.memberships, id)?;
        membership["status"] = json!(status);
        let membership = membership.clone();
        self.apply_membership(&membership)?;
        Ok(membership)
    }

    /// Changes the user as the membership says, so that the next access token has its role.
    fn apply_membership(&mut self, membership: &Value) -> Result<(), Refusal> {
        let organization = text(membership, "organization_id")?;
        let user = self.user_mut(text(membership, "user_id")?)?;
        if membership["status"] == "active" {
            user.add_organization(organization).role = membership["role"]["slug"].as_str().map(str::to_owned);
        } else {
            user.organizations.retain(|membership| membership.organization_id != organization);
        }
        Ok(())
    }
}
