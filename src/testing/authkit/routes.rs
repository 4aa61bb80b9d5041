//! The routes: each reads a request, asks the state, and makes the reply.

use std::io;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Collected, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::hosted::{BrowserReply, SignInForm};
use super::pages;
use super::refusal::Refusal;
use super::reply::{self, Reply, json_or_refusal};
use super::state::SharedState;
use super::values::random;

const BODY_LIMIT: usize = 1 << 20;

pub(super) async fn route(state: &SharedState, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    let (get, post) = (request.method() == Method::GET, request.method() == Method::POST);
    let query = request.uri().query().unwrap_or("").to_owned();
    let mut reply = match path.as_str() {
        "/user_management/authorize" if get => browser_reply(state.lock().authorize(&query, false)),
        "/sso/authorize" if get => browser_reply(state.lock().authorize(&query, true)),
        "/sso/token" if post => sso_token(state, request).await,
        "/sso/profile" if get => sso_profile(state, &request),
        "/sign-in" if post => sign_in(state, request).await,
        "/user_management/authenticate" if post => authenticate(state, request).await,
        "/user_management/authorize/device" if post => authorize_device(state, request).await,
        #[cfg(feature = "server")]
        "/.well-known/oauth-authorization-server" if get => {
            reply::json(StatusCode::OK, &state.lock().issuer_metadata())
        }
        #[cfg(feature = "server")]
        "/oauth2/token" if post => machine_token(state, request).await,
        #[cfg(feature = "server")]
        "/oauth2/jwks" if get => reply::json(StatusCode::OK, &state.lock().published_keys()),
        "/device" if get => pages::device(&field(query.as_bytes(), "user_code").unwrap_or_default(), None).reply(),
        "/device" if post => decide_device(state, request).await,
        "/user_management/sessions/logout" if get => log_out(state, &query),
        path => match path.split('/').collect::<Vec<_>>().as_slice() {
            ["", "sso", "jwks", client_id] if get => jwks(state, client_id),
            ["", "user_management" | "auth" | "api_keys" | "organizations", ..] => api(state, request, &query).await,
            _ => reply::refusal(&Refusal::NotFound),
        },
    };
    if let Some(id) = random("req_").ok().and_then(|id| HeaderValue::from_str(&id).ok()) {
        reply.headers_mut().insert("x-request-id", id);
    }
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

fn browser_reply(result: io::Result<BrowserReply>) -> Reply {
    match result {
        Ok(BrowserReply::Page(page)) => page.reply(),
        Ok(BrowserReply::Redirect(location)) => reply::redirect(&location),
        Ok(BrowserReply::ErrorPage(reason)) => error_page(StatusCode::BAD_REQUEST, reason),
        Err(_) => reply::refusal(&Refusal::Internal),
    }
}

async fn sign_in(state: &SharedState, request: Request<Incoming>) -> Reply {
    let Some(form) = body(request).await else { return form_too_large() };
    let form = SignInForm {
        transaction_id: field(&form, "transaction").unwrap_or_default(),
        email: field(&form, "email"),
        code: field(&form, "code"),
        is_cancelled: field(&form, "action").is_some_and(|action| action == "cancel"),
    };
    browser_reply(state.lock().sign_in(&form))
}

async fn authenticate(state: &SharedState, request: Request<Incoming>) -> Reply {
    let received = json_body(request).await;
    json_or_refusal(received.and_then(|(bearer, body)| state.lock().authenticate(bearer.as_deref(), &body)))
}

async fn sso_token(state: &SharedState, request: Request<Incoming>) -> Reply {
    let received = json_body(request).await;
    json_or_refusal(received.and_then(|(_, body)| state.lock().exchange_sso_code(&body)))
}

#[cfg(feature = "server")]
async fn machine_token(state: &SharedState, request: Request<Incoming>) -> Reply {
    let is_form = request.headers().get(CONTENT_TYPE).is_some_and(|is| is == "application/x-www-form-urlencoded");
    let form = body(request).await.filter(|_| is_form);
    let form = form.ok_or(Refusal::OAuth("invalid_request", "The body is not a form."));
    json_or_refusal(form.and_then(|form| state.lock().machine_token(|name| field(&form, name))))
}

fn sso_profile(state: &SharedState, request: &Request<Incoming>) -> Reply {
    json_or_refusal(bearer(request).and_then(|bearer| state.lock().sso_profile(bearer.as_deref())))
}

async fn authorize_device(state: &SharedState, request: Request<Incoming>) -> Reply {
    let received = json_body::<Value>(request).await;
    json_or_refusal(received.and_then(|(_, body)| state.lock().authorize_device(body["client_id"].as_str())))
}

async fn decide_device(state: &SharedState, request: Request<Incoming>) -> Reply {
    let Some(form) = body(request).await else { return form_too_large() };
    let user_code = field(&form, "user_code").unwrap_or_default();
    let deny = field(&form, "action").is_some_and(|action| action == "deny");
    browser_reply(state.lock().decide_device(&user_code, deny))
}

fn log_out(state: &SharedState, query: &str) -> Reply {
    let Some(session_id) = field(query.as_bytes(), "session_id") else {
        return error_page(StatusCode::BAD_REQUEST, "The session is missing.");
    };
    let return_to = field(query.as_bytes(), "return_to");
    match state.lock().log_out(&session_id, return_to.as_deref()) {
        Some(location) => reply::redirect(&location),
        None => pages::message(StatusCode::OK, "You are signed out", "You may close this page.").reply(),
    }
}

fn jwks(state: &SharedState, client_id: &str) -> Reply {
    match state.lock().jwks(client_id) {
        Some(keys) => reply::json(StatusCode::OK, &keys),
        None => reply::json(StatusCode::NOT_FOUND, &json!({"message": "The client is unknown."})),
    }
}

/// The endpoints that need the API key.
async fn api(state: &SharedState, request: Request<Incoming>, query: &str) -> Reply {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let received = if matches!(method, Method::GET | Method::DELETE) {
        bearer(&request).map(|bearer| (bearer, Value::Null))
    } else {
        json_body::<Value>(request).await
    };
    let result = received.and_then(|(bearer, body)| {
        let mut state = state.lock();
        state.check_api_key(bearer.as_deref())?;
        state.api(&method, &path, query, &body)
    });
    match result {
        Ok((StatusCode::NO_CONTENT, _)) => reply::no_content(),
        Ok((status, value)) => reply::json(status, &value),
        Err(refusal) => reply::refusal(&refusal),
    }
}

/// A field of a form or a query.
fn field(encoded: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(encoded).find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

fn form_too_large() -> Reply {
    error_page(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.")
}

fn error_page(status: StatusCode, reason: &str) -> Reply {
    pages::message(status, "This can\u{2019}t go on", reason).reply()
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1), if the request has this header.
fn bearer(request: &Request<Incoming>) -> Result<Option<String>, Refusal> {
    let Some(value) = request.headers().get(AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
    token.map(|token| Some(token.to_owned())).ok_or(Refusal::Unauthorized)
}

/// The bearer token, if the request has one, and the JSON body.
async fn json_body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<(Option<String>, T), Refusal> {
    const INVALID: Refusal = Refusal::OAuth("invalid_request", "The body is not the JSON that is expected.");
    let bearer = bearer(&request)?;
    if request.headers().get(CONTENT_TYPE).is_none_or(|content_type| !is_json(content_type)) {
        return Err(INVALID);
    }
    let body = body(request).await.ok_or(INVALID)?;
    Ok((bearer, serde_json::from_slice(&body).map_err(|_| INVALID)?))
}

fn is_json(content_type: &HeaderValue) -> bool {
    let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

async fn body(request: Request<Incoming>) -> Option<Bytes> {
    Limited::new(request.into_body(), BODY_LIMIT).collect().await.ok().map(Collected::to_bytes)
}
