//! What an API answers that a test plays itself.

use serde_json::{Value, json};
use workos_auth::session::SessionParts;
use workos_auth::typestate::HasClientId;
use workos_auth::{AccessToken, Client, RefreshToken, Session};

/// A finished login, with tokens that nobody can verify.
pub(crate) fn response(refresh_token: &str) -> Value {
    json!({"user": user(), "access_token": format!("access of {refresh_token}"), "refresh_token": refresh_token})
}

pub(crate) fn user() -> Value {
    json!({
        "id": "user_1", "email": "ada@example.com", "email_verified": true,
        "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z",
    })
}

/// A session of this user that has this refresh token.
pub(crate) fn session<K: HasClientId>(client: &Client<K>, refresh_token: &str) -> Session<K> {
    let user = serde_json::from_value(user()).unwrap();
    client.session(SessionParts::new(user, AccessToken::new("access"), RefreshToken::new(refresh_token)))
}
