//! What an API answers that a test plays itself.

use std::future::ready;
use std::sync::LazyLock;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use workos_auth::session::SessionParts;
use workos_auth::transport::{Transport, TransportError};
use workos_auth::typestate::HasClientId;
use workos_auth::{AccessToken, Client, ExposeSecret, OpenedSession, OrganizationId, RefreshToken};

use super::clients::{NOWHERE, reply};
use super::signer::Signer;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new("scripted"));

/// An API whose keys are there; everything else is asked of the test, by the body of the request.
pub(crate) fn api<R>(answer: impl Fn(Value) -> R + Send + Sync + 'static) -> impl Transport
where
    R: Future<Output = Response<Bytes>> + Send + 'static,
{
    move |request: Request<Bytes>| {
        let answer = (request.method() != Method::GET).then(|| answer(serde_json::from_slice(request.body()).unwrap()));
        async move {
            let keys = || reply(200, json!({"keys": [SIGNER.jwk()]}).to_string());
            Ok::<_, TransportError>(match answer {
                Some(answer) => answer.await,
                None => keys(),
            })
        }
    }
}

/// The same, where each reply is there at once.
pub(crate) fn prompt_api(answer: impl Fn(Value) -> (u16, Value) + Send + Sync + 'static) -> impl Transport {
    api(move |request| {
        let (status, body) = answer(request);
        ready(reply(status, body.to_string()))
    })
}

/// A finished login of `client_123`.
pub(crate) fn response(refresh_token: &str) -> Value {
    response_in(refresh_token, &Value::Null)
}

/// The same in an organization.
pub(crate) fn response_in(refresh_token: &str, organization: &Value) -> Value {
    let access_token = access_token("client_123", &format!("access of {refresh_token}"), organization);
    json!({
        "user": user(), "access_token": access_token.expose_secret(), "refresh_token": refresh_token,
        "organization_id": organization,
    })
}

pub(crate) fn user() -> Value {
    json!({
        "id": "user_1", "email": "ada@example.com", "email_verified": true,
        "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z",
    })
}

/// One that is good whatever the time.
fn access_token(client_id: &str, id: &str, organization: &Value) -> AccessToken {
    SIGNER.sign(&json!({
        "iss": format!("{NOWHERE}/user_management/{client_id}"), "sub": "user_1", "sid": "session_1", "jti": id,
        "org_id": organization, "exp": 90_000_000_000_u64,
    }))
}

fn parts(access_token: AccessToken, refresh_token: &str) -> SessionParts {
    SessionParts::new(serde_json::from_value(user()).unwrap(), access_token, RefreshToken::new(refresh_token))
}

/// A session of this user that has this refresh token, and an access token that nobody can verify.
pub(crate) fn session<K: HasClientId>(client: &Client<K>, refresh_token: &str) -> OpenedSession<K> {
    client.session(parts(AccessToken::new("access"), refresh_token))
}

/// The same in an organization or in none, with a good access token.
pub(crate) fn session_in<K: HasClientId>(
    client: &Client<K>,
    refresh_token: &str,
    organization: Option<&OrganizationId>,
) -> OpenedSession<K> {
    let access_token = access_token(client.client_id().as_str(), "access", &json!(organization));
    let mut parts = parts(access_token, refresh_token);
    parts.organization_id = organization.cloned();
    client.session(parts)
}
