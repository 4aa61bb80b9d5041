//! How the in-process AuthKit is spoken to: HTTP on loopback, one function a route.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::form_urlencoded;

use super::authkit::{Authorization, Refusal, Service, TokenRequest, random};

type Reply = Response<Full<Bytes>>;

const BODY_LIMIT: usize = 1 << 20;

pub(super) async fn serve(listener: TcpListener, service: Arc<Service>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let service = Arc::clone(&service);
        connections.spawn(async move {
            let answer = service_fn(move |request| {
                let service = Arc::clone(&service);
                async move { Ok::<_, Infallible>(route(&service, request).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn route(service: &Service, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    service.count(&path);
    let (get, post) = (request.method() == Method::GET, request.method() == Method::POST);
    let query = request.uri().query().unwrap_or("").to_owned();
    let mut reply = match path.as_str() {
        "/user_management/authorize" if get => authorize(service, &query),
        "/sign-in" if post => sign_in(service, request).await,
        "/user_management/authenticate" if post => authenticate(service, request).await,
        "/user_management/sessions/logout" if get => log_out(service, &query),
        path => match path.strip_prefix("/sso/jwks/") {
            Some(client_id) if get => jwks(service, client_id),
            _ => json_reply(StatusCode::NOT_FOUND, &json!({"message": "Not Found"})),
        },
    };
    if let Some(id) = random("req_").ok().and_then(|id| HeaderValue::from_str(&id).ok()) {
        reply.headers_mut().insert("x-request-id", id);
    }
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

fn authorize(service: &Service, query: &str) -> Reply {
    authorization(service.authorize(query))
}

async fn sign_in(service: &Service, request: Request<Incoming>) -> Reply {
    let Some(body) = body(request).await else {
        return page(StatusCode::PAYLOAD_TOO_LARGE, "<p>The form is too large.</p>");
    };
    let field = |wanted: &str| form_urlencoded::parse(&body).find(|(name, _)| name == wanted).map(|(_, value)| value);
    let transaction = field("transaction").unwrap_or_default();
    let email = field("email").unwrap_or_default();
    let cancel = field("action").is_some_and(|action| action == "cancel");
    authorization(service.sign_in(&transaction, &email, cancel))
}

fn authorization(outcome: std::io::Result<Authorization>) -> Reply {
    match outcome {
        Ok(Authorization::Page(id, transaction)) => {
            let email = escape(transaction.login_hint.as_deref().unwrap_or(""));
            page(
                StatusCode::OK,
                &format!(
                    "<form method=\"post\" action=\"/sign-in\">\n\
                     <input type=\"hidden\" name=\"transaction\" value=\"{}\">\n\
                     <label>E-mail <input type=\"email\" name=\"email\" value=\"{email}\"></label>\n\
                     <button name=\"action\" value=\"sign-in\">Sign in</button>\n\
                     <button name=\"action\" value=\"cancel\">Cancel</button>\n</form>",
                    escape(&id)
                ),
            )
        }
        Ok(Authorization::Redirect(location)) => redirect(&location),
        Ok(Authorization::Refused(reason)) => page(StatusCode::BAD_REQUEST, &format!("<p>{}</p>", escape(reason))),
        Err(_) => refusal(&Refusal::Broken),
    }
}

async fn authenticate(service: &Service, request: Request<Incoming>) -> Reply {
    let bearer = match request.headers().get(AUTHORIZATION).map(HeaderValue::to_str) {
        Some(Ok(value)) => match value.strip_prefix("Bearer ") {
            Some(key) => Some(key.to_owned()),
            None => return refusal(&Refusal::Unauthorized),
        },
        Some(Err(_)) => return refusal(&Refusal::Unauthorized),
        None => None,
    };
    let invalid = || refusal(&Refusal::OAuth("invalid_request", "The body is not the JSON that is expected."));
    let is_json = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let Some(body) = body(request).await.filter(|_| is_json) else { return invalid() };
    let Ok(request) = serde_json::from_slice::<TokenRequest>(&body) else { return invalid() };
    match service.authenticate(bearer.as_deref(), &request) {
        Ok(reply) => json_reply(StatusCode::OK, &reply),
        Err(reason) => refusal(&reason),
    }
}

fn jwks(service: &Service, client_id: &str) -> Reply {
    match service.jwks(client_id) {
        Some(keys) => json_reply(StatusCode::OK, &keys),
        None => json_reply(StatusCode::NOT_FOUND, &json!({"message": "The client is unknown."})),
    }
}

fn log_out(service: &Service, query: &str) -> Reply {
    let field = |wanted: &str| {
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let Some(session_id) = field("session_id") else {
        return page(StatusCode::BAD_REQUEST, "<p>The session is missing.</p>");
    };
    match service.log_out(&session_id, field("return_to").as_deref()) {
        Some(location) => redirect(&location),
        None => page(StatusCode::OK, "<p>You are signed out.</p>"),
    }
}

async fn body(request: Request<Incoming>) -> Option<Bytes> {
    Limited::new(request.into_body(), BODY_LIMIT).collect().await.ok().map(http_body_util::Collected::to_bytes)
}

fn refusal(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::OAuth(error, description) => {
            json_reply(StatusCode::BAD_REQUEST, &json!({"error": error, "error_description": description}))
        }
        Refusal::Unauthorized => json_reply(StatusCode::UNAUTHORIZED, &json!({"message": "Unauthorized"})),
        Refusal::Broken => json_reply(StatusCode::INTERNAL_SERVER_ERROR, &json!({"message": "Internal Server Error"})),
    }
}

fn json_reply(status: StatusCode, value: &Value) -> Reply {
    reply(status, "application/json; charset=utf-8", value.to_string())
}

fn page(status: StatusCode, content: &str) -> Reply {
    let html = format!("<!doctype html>\n<html lang=\"en\"><title>AuthKit for tests</title>\n{content}\n</html>\n");
    let mut reply = reply(status, "text/html; charset=utf-8", html);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

fn redirect(location: &str) -> Reply {
    let mut reply = reply(StatusCode::FOUND, "text/plain; charset=utf-8", String::new());
    if let Ok(location) = HeaderValue::from_str(location) {
        reply.headers_mut().insert(LOCATION, location);
    }
    reply
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
