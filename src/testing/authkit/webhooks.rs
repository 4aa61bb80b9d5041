//! Webhooks, signed as WorkOS signs them.

use std::io;

use bytes::Bytes;
use http::{Request, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::AuthKit;
use super::values::{api_time, random};
use crate::secret::WebhookSecret;
use crate::signature;

/// # Webhooks
impl AuthKit {
    /// Ends a session, as an administrator does in the dashboard, and makes the request that WorkOS sends then: `session.revoked`.
    ///
    /// # Errors
    /// Fails when there is no such session.
    pub fn revoke_session(&self, secret: &WebhookSecret, session_id: &str) -> io::Result<Request<Bytes>> {
        let data = {
            let mut state = self.state.lock();
            state.end_session(session_id);
            state.sessions.get(session_id).ok_or(io::ErrorKind::NotFound)?.json(session_id)
        };
        self.webhook(secret, "session.revoked", &data)
    }

    /// The request with which WorkOS tells of an event of this kind, with a new ID, by the server's time. It isn't sent: hand it to the
    /// application's endpoint, several times to test repetitions.
    ///
    /// # Errors
    /// Fails when the operating system gives no random bytes.
    pub fn webhook(&self, secret: &WebhookSecret, kind: &str, data: &Value) -> io::Result<Request<Bytes>> {
        let body = json!({
            "id": random("event_")?,
            "event": kind,
            "data": data,
            "created_at": api_time(self.state.lock().now()),
        });
        self.sign_webhook(secret, body.to_string())
    }

    /// The request with which WorkOS sends this body now, by the server's time. So an event can be sent again later, and a body that
    /// isn't an event can be sent, too.
    ///
    /// # Errors
    /// Fails when the body can't be signed.
    pub fn sign_webhook(&self, secret: &WebhookSecret, body: impl Into<Bytes>) -> io::Result<Request<Bytes>> {
        self.signed("/webhooks/workos", secret, body.into())
    }

    /// The request that WorkOS sends to this path now, by the server's time.
    pub(super) fn signed(
        &self,
        path: &str,
        secret: &impl ExposeSecret<str>,
        body: Bytes,
    ) -> io::Result<Request<Bytes>> {
        let signature = signature::header(secret, &body, self.state.lock().now());
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("workos-signature", signature)
            .body(body);
        request.map_err(io::Error::other)
    }
}
