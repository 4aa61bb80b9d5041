//! The API keys that the application issues to its customers.

use std::fmt;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::records::{ApiReply, Query, created, list, no_content, ok, text};
use super::refusal::Refusal;
use super::state::State;
use super::values::{api_time, random};

/// An API key of a customer, for [`AuthKitBuilder::customer_api_key`](super::AuthKitBuilder::customer_api_key).
///
/// ```
/// use workos_auth::testing::TestApiKey;
///
/// let key = TestApiKey::of_organization("sk_customer", "org_1").permission("posts:read");
/// let of_user = TestApiKey::of_user("sk_of_ada", "ada@example.com", "org_1");
/// ```
#[derive(Clone)]
pub struct TestApiKey {
    value: String,
    owner: Owner,
    permissions: Vec<String>,
    expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
enum Owner {
    Organization(String),
    /// By e-mail address.
    User {
        email: String,
        organization_id: String,
    },
}

impl TestApiKey {
    /// A key with this value, of the organization with this ID.
    #[must_use]
    pub fn of_organization(value: impl Into<String>, organization_id: impl Into<String>) -> Self {
        let owner = Owner::Organization(organization_id.into());
        Self { value: value.into(), owner, permissions: Vec::new(), expires_at: None }
    }

    /// A key with this value, of a user in an organization.
    #[must_use]
    pub fn of_user(value: impl Into<String>, email: impl Into<String>, organization_id: impl Into<String>) -> Self {
        let owner = Owner::User { email: email.into(), organization_id: organization_id.into() };
        Self { value: value.into(), owner, permissions: Vec::new(), expires_at: None }
    }

    /// Adds a permission.
    #[must_use]
    pub fn permission(mut self, slug: impl Into<String>) -> Self {
        self.permissions.push(slug.into());
        self
    }

    /// When it expires: then it is invalid. Without this it doesn't.
    #[must_use]
    pub fn expires_at(mut self, time: std::time::SystemTime) -> Self {
        self.expires_at = Timestamp::try_from(time).ok();
        self
    }
}

/// Without the value.
impl fmt::Debug for TestApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TestApiKey")
            .field("owner", &self.owner)
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Adds the keys that the test has configured.
    pub(super) fn add_configured_customer_keys(&mut self) -> Result<(), Refusal> {
        for key in self.config.clone().customer_keys.iter().cloned() {
            let owner = match key.owner {
                Owner::Organization(id) => json!({"type": "organization", "id": id}),
                Owner::User { email, organization_id } => {
                    let id = &self.user_by_email(&email).ok_or(Refusal::NotFound)?.id;
                    json!({"type": "user", "id": id, "organization_id": organization_id})
                }
            };
            let body = json!({"name": "Configured", "permissions": key.permissions, "expires_at": key.expires_at.map(api_time)});
            self.add_customer_key(key.value, &owner, &body)?;
        }
        Ok(())
    }

    /// `/organizations/{id}/api_keys`
    pub(super) fn organization_keys_api(&mut self, method: &Method, id: &str, query: &Query, body: &Value) -> ApiReply {
        match method.as_str() {
            "GET" => list(self.customer_keys(|owner| owner["type"] == "organization" && owner["id"] == *id), query),
            "POST" => self.create_customer_key(&json!({"type": "organization", "id": id}), body),
            _ => Err(Refusal::NotFound),
        }
    }

    /// `/user_management/users/{id}/api_keys`
    pub(super) fn user_keys_api(&mut self, method: &Method, id: &str, query: &Query, body: &Value) -> ApiReply {
        let user = self.user(id)?;
        let is_in =
            |owner: &Value| query.get("organization_id").is_none_or(|wanted| owner["organization_id"] == **wanted);
        match method.as_str() {
            "GET" => {
                list(self.customer_keys(|owner| owner["type"] == "user" && owner["id"] == *id && is_in(owner)), query)
            }
            "POST" => {
                let organization = text(body, "organization_id")?;
                user.membership(organization).ok_or(Refusal::NotFound)?;
                self.create_customer_key(&json!({"type": "user", "id": id, "organization_id": organization}), body)
            }
            _ => Err(Refusal::NotFound),
        }
    }

    /// `/api_keys/…`
    pub(super) fn customer_keys_api(&mut self, method: &Method, path: &[&str], body: &Value) -> ApiReply {
        match (method.as_str(), path) {
            ("POST", ["validations"]) => {
                let valid = self.valid_customer_key(text(body, "value")?);
                ok(json!({"api_key": valid}))
            }
            ("DELETE", [id]) => {
                let keys = &mut self.records.customer_keys;
                let before = keys.len();
                keys.retain(|key| key["id"] != *id);
                let is_deleted = keys.len() < before;
                self.customer_key_values.retain(|_, known| known != id);
                if is_deleted { no_content() } else { Err(Refusal::NotFound) }
            }
            _ => Err(Refusal::NotFound),
        }
    }

    fn customer_keys(&self, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.records.customer_keys.iter().filter(|key| is_wanted(&key["owner"])).cloned().collect()
    }

    fn create_customer_key(&mut self, owner: &Value, body: &Value) -> ApiReply {
        let value = random("sk_")?;
        let mut key = self.add_customer_key(value.clone(), owner, body)?;
        key["value"] = json!(value);
        created(key)
    }

    fn add_customer_key(&mut self, value: String, owner: &Value, body: &Value) -> Result<Value, Refusal> {
        let now = api_time(self.now());
        let id = random("api_key_")?;
        let last: String = value.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        let permissions = if body["permissions"].is_array() { body["permissions"].clone() } else { json!([]) };
        let mut key = json!({
            "object": "api_key", "id": id, "owner": owner, "name": text(body, "name")?,
            "obfuscated_value": format!("sk_...{last}"), "last_used_at": null, "permissions": permissions,
            "created_at": now, "updated_at": now,
        });
        if owner["type"] == "user" || !body["expires_at"].is_null() {
            key["expires_at"] = body["expires_at"].clone();
        }
        self.records.customer_keys.push(key.clone());
        self.customer_key_values.insert(value, id);
        Ok(key)
    }

    /// The key with this value, if it is good now. It counts as used.
    fn valid_customer_key(&mut self, value: &str) -> Option<Value> {
        let now = self.now();
        let id = self.customer_key_values.get(value)?;
        let key = self.records.customer_keys.iter_mut().find(|key| key["id"] == **id)?;
        let end = key["expires_at"].as_str().and_then(|end| end.parse::<Timestamp>().ok());
        if end.is_some_and(|end| end <= now) {
            return None;
        }
        key["last_used_at"] = json!(api_time(now));
        Some(key.clone())
    }
}
