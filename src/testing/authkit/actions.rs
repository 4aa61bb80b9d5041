//! Actions, signed as WorkOS signs them, and their answers, read as WorkOS reads them.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::AuthKit;
use super::values::{random, same};
use crate::secret::ActionSecret;
use crate::signature::signature;

/// How old an answer may be, and how far in the future.
const TOLERANCE: Duration = Duration::from_secs(30);

/// What an Actions endpoint has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionVerdict {
    /// It allows what was asked.
    Allow,
    /// It denies it, perhaps with a message for the user.
    Deny(Option<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    object: String,
    payload: Payload,
    signature: String,
}

/// Written again, it is what was signed, if the answer has this order.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    timestamp: i64,
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// # Actions
impl AuthKit {
    /// The request with which WorkOS asks whether this user may sign in, with a new ID, by the server's time: to the first organization of
    /// the user, if there is one. It isn't sent: hand it to the application's endpoint.
    ///
    /// # Errors
    /// Fails when there is no such user, or when the operating system gives no random bytes.
    pub fn authentication_action(&self, secret: &ActionSecret, email: &str) -> io::Result<Request<Bytes>> {
        let mut action = action_of("authentication_action_context")?;
        {
            let state = self.state.lock();
            let user = state.user_by_email(email).ok_or_else(|| state.unknown_user(email))?;
            action["user"] = user.json(None);
            if let Some(id) = user.organizations.first().map(|membership| &membership.organization_id) {
                let is_theirs = |record: &&Value| record["user_id"] == user.id && record["organization_id"] == **id;
                action["organization"] = json!({
                    "object": "organization", "id": id, "name": format!("Organization {id}"), "domains": [],
                    "allow_profiles_outside_organization": false, "external_id": null, "metadata": {},
                    "created_at": action["user"]["created_at"], "updated_at": action["user"]["updated_at"],
                });
                action["organization_membership"] =
                    state.records.memberships.iter().find(is_theirs).cloned().unwrap_or_default();
            }
            action["issuer"] = json!(self.base_url);
        }
        self.sign_action(secret, action.to_string())
    }

    /// The request with which WorkOS asks whether somebody with this address may register, with a new ID, by the server's time, and with
    /// the invitation to this address, if there is one. It isn't sent: hand it to the application's endpoint.
    ///
    /// # Errors
    /// Fails when the operating system gives no random bytes.
    pub fn user_registration_action(&self, secret: &ActionSecret, email: &str) -> io::Result<Request<Bytes>> {
        let mut action = action_of("user_registration_action_context")?;
        action["user_data"] =
            json!({"object": "user_data", "email": email, "name": null, "first_name": null, "last_name": null});
        let is_theirs = |invitation: &&Value| invitation["email"] == email && invitation["state"] == "pending";
        if let Some(invitation) = self.state.lock().records.invitations.iter().find(is_theirs) {
            action["invitation"] = invitation.clone();
        }
        self.sign_action(secret, action.to_string())
    }

    /// The request with which WorkOS sends this body now, by the server's time. So a body that isn't an Action can be sent, too.
    ///
    /// # Errors
    /// Fails when the body can't be signed.
    pub fn sign_action(&self, secret: &ActionSecret, body: impl Into<Bytes>) -> io::Result<Request<Bytes>> {
        self.signed("/actions/workos", secret, body.into())
    }

    /// Reads the body of the application's response as WorkOS does: the answer to this request, signed with the secret within the last 30
    /// seconds.
    ///
    /// ```
    /// use std::io;
    ///
    /// use workos_auth::action::{ActionSecret, Actions};
    /// use workos_auth::testing::{ActionVerdict, AuthKit};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let authkit = AuthKit::start().await?;
    /// let secret = ActionSecret::new("the-secret-of-this-endpoint")?;
    /// let actions = Actions::new(&authkit.confidential_client(), secret.clone());
    ///
    /// let request = authkit.authentication_action(&secret, "ada@example.com")?;
    /// let answer = actions.verify(request.headers(), request.body())?.allow();
    /// let response = answer.into_response();
    /// assert_eq!(authkit.read_action_answer(&secret, &request, response.body())?, ActionVerdict::Allow);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Fails when it isn't such an answer. The error says why.
    pub fn read_action_answer(
        &self,
        secret: &ActionSecret,
        request: &Request<Bytes>,
        answer: impl AsRef<[u8]>,
    ) -> io::Result<ActionVerdict> {
        let refuse = |reason: &'static str| io::Error::new(io::ErrorKind::InvalidData, reason);
        let answer: Answer = serde_json::from_slice(answer.as_ref()).map_err(|_| refuse("it isn't an answer"))?;
        let action: Value =
            serde_json::from_slice(request.body()).map_err(|_| refuse("the request isn't an Action"))?;
        let kind = action["object"].as_str().and_then(|object| object.strip_suffix("_context"));
        if answer.object.strip_suffix("_response").is_none_or(|object| Some(object) != kind) {
            return Err(refuse("it is the answer to another kind of Action"));
        }
        let Payload { timestamp, verdict, error_message } = &answer.payload;
        let payload = serde_json::to_vec(&answer.payload)?;
        if !same(&answer.signature, &signature(secret, *timestamp, &payload)) {
            return Err(refuse("the signature is wrong"));
        }
        let time = Timestamp::from_millisecond(*timestamp).map_err(|_| refuse("its time can't be read"))?;
        if self.state.lock().now().duration_since(time).unsigned_abs() > TOLERANCE {
            return Err(refuse("it isn't of now"));
        }
        match (verdict.as_str(), error_message) {
            ("Allow", None) => Ok(ActionVerdict::Allow),
            ("Deny", message) => Ok(ActionVerdict::Deny(message.clone())),
            _ => Err(refuse("its verdict can't be read")),
        }
    }
}

/// What all Actions have.
fn action_of(object: &str) -> io::Result<Value> {
    Ok(json!({
        "id": random("action_")?, "object": object, "authentication_method": "Password",
        "ip_address": "203.0.113.7", "user_agent": "Mozilla/5.0", "device_fingerprint": "a-device",
    }))
}
