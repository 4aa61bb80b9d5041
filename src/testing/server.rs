//! How the in-process AuthKit is spoken to: HTTP on loopback, one function a route.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY,
    RETRY_AFTER,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::form_urlencoded;

use super::authkit::{Authorization, Refusal, Service, random};
use super::fault::Fault;

type Reply = Response<Full<Bytes>>;

const BODY_LIMIT: usize = 1 << 20;

pub(super) async fn serve(listener: TcpListener, service: Arc<Service>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // A connection that was reset in the queue, or no descriptor left for now: the next one may do.
            tokio::task::yield_now().await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let service = Arc::clone(&service);
        connections.spawn(async move {
            let answer = service_fn(move |request| {
                let service = Arc::clone(&service);
                async move { answer_or_fail(&service, request).await }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

/// The answer, or what was injected instead. An error closes the connection.
async fn answer_or_fail(service: &Service, request: Request<Incoming>) -> io::Result<Response<Whole>> {
    let lost = || io::Error::from(io::ErrorKind::ConnectionAborted);
    let fault = service.fault(request.uri().path());
    match fault {
        Some(Fault::Status(status, retry_after)) => {
            service.count(request.uri().path());
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut reply = json_reply(status, &json!({"message": "A fault was injected."}));
            reply.headers_mut().extend(retry_after.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
            return Ok(reply.map(Whole::new));
        }
        Some(Fault::Stall) => {
            service.count(request.uri().path());
            std::future::pending::<()>().await;
        }
        Some(Fault::LostBefore) => {
            service.count(request.uri().path());
            return Err(lost());
        }
        _ => {}
    }
    let reply = route(service, request).await.map(Whole::new);
    match fault {
        Some(Fault::Slow(delay)) => tokio::time::sleep(delay).await,
        Some(Fault::LostAfter) => return Err(lost()),
        Some(Fault::Truncated) => return Ok(reply.map(Whole::truncate)),
        _ => {}
    }
    Ok(reply)
}

/// A body that may break off in the middle.
struct Whole {
    body: Full<Bytes>,
    length: u64,
    breaks: bool,
}

impl Whole {
    fn new(body: Full<Bytes>) -> Self {
        let length = body.size_hint().exact().unwrap_or_default();
        Self { body, length, breaks: false }
    }

    fn truncate(self) -> Self {
        Self { breaks: true, ..self }
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let breaks = self.breaks;
        Pin::new(&mut self.body).poll_frame(context).map(|frame| match frame {
            Some(Ok(frame)) => {
                Some(Ok(frame.map_data(|data| if breaks { data.slice(..data.len() / 2) } else { data })))
            }
            Some(Err(never)) => match never {},
            None if breaks => Some(Err(io::ErrorKind::ConnectionAborted.into())),
            None => None,
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

async fn route(service: &Service, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    service.count(&path);
    let (get, post) = (request.method() == Method::GET, request.method() == Method::POST);
    let query = request.uri().query().unwrap_or("").to_owned();
    let mut reply = match path.as_str() {
        "/user_management/authorize" if get => authorization(service.authorize(&query, false)),
        "/sso/authorize" if get => authorization(service.authorize(&query, true)),
        "/sso/token" if post => sso_token(service, request).await,
        "/sso/profile" if get => sso_profile(service, &request),
        "/sign-in" if post => sign_in(service, request).await,
        "/user_management/authenticate" if post => authenticate(service, request).await,
        "/user_management/authorize/device" if post => device_authorization(service, request).await,
        "/device" if get => device_page(&query),
        "/device" if post => approve_device(service, request).await,
        "/user_management/sessions/logout" if get => log_out(service, &query),
        path => match path.split('/').collect::<Vec<_>>().as_slice() {
            ["", "sso", "jwks", client_id] if get => jwks(service, client_id),
            ["", "user_management" | "auth", ..] => api_call(service, request, &query).await,
            _ => refusal(&Refusal::NotFound),
        },
    };
    if let Some(id) = random("req_").ok().and_then(|id| HeaderValue::from_str(&id).ok()) {
        reply.headers_mut().insert("x-request-id", id);
    }
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
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

fn authorization(outcome: io::Result<Authorization>) -> Reply {
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
    let outcome = match json_body(request).await {
        Ok((bearer, body)) => service.authenticate(bearer.as_deref(), &body),
        Err(reason) => Err(reason),
    };
    answer(StatusCode::OK, outcome)
}

/// An endpoint that needs the API key.
async fn api_call(service: &Service, request: Request<Incoming>, query: &str) -> Reply {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let received = if matches!(method, Method::GET | Method::DELETE) {
        bearer(&request).map(|bearer| (bearer, Value::Null))
    } else {
        json_body::<Value>(request).await
    };
    let outcome = received.and_then(|(bearer, body)| {
        service.authorize_key(bearer.as_deref())?;
        service.api(&method, &path, query, &body)
    });
    match outcome {
        Ok((StatusCode::NO_CONTENT, _)) => reply(StatusCode::NO_CONTENT, "text/plain", String::new()),
        Ok((status, value)) => json_reply(status, &value),
        Err(reason) => refusal(&reason),
    }
}

async fn sso_token(service: &Service, request: Request<Incoming>) -> Reply {
    let outcome = match json_body::<Value>(request).await {
        Ok((_, body)) => service.exchange_sso_code(&body),
        Err(reason) => Err(reason),
    };
    answer(StatusCode::OK, outcome)
}

fn sso_profile(service: &Service, request: &Request<Incoming>) -> Reply {
    answer(StatusCode::OK, bearer(request).and_then(|bearer| service.sso_profile(bearer.as_deref())))
}

async fn device_authorization(service: &Service, request: Request<Incoming>) -> Reply {
    let outcome = match json_body::<Value>(request).await {
        Ok((_, body)) => service.authorize_device(body["client_id"].as_str().unwrap_or_default()),
        Err(reason) => Err(reason),
    };
    answer(StatusCode::OK, outcome)
}

fn device_page(query: &str) -> Reply {
    let code = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "user_code");
    let code = escape(&code.map(|(_, code)| code).unwrap_or_default());
    page(
        StatusCode::OK,
        &format!(
            "<form method=\"post\" action=\"/device\">\n\
             <label>Code <input name=\"user_code\" value=\"{code}\"></label>\n\
             <label>E-mail <input type=\"email\" name=\"email\"></label>\n\
             <button name=\"action\" value=\"approve\">Approve</button>\n\
             <button name=\"action\" value=\"deny\">Deny</button>\n</form>"
        ),
    )
}

async fn approve_device(service: &Service, request: Request<Incoming>) -> Reply {
    let Some(body) = body(request).await else {
        return page(StatusCode::PAYLOAD_TOO_LARGE, "<p>The form is too large.</p>");
    };
    let field = |wanted: &str| form_urlencoded::parse(&body).find(|(name, _)| name == wanted).map(|(_, value)| value);
    let deny = field("action").is_some_and(|action| action == "deny");
    if service.approve_device(&field("user_code").unwrap_or_default(), &field("email").unwrap_or_default(), deny) {
        page(StatusCode::OK, "<p>You may go back to your device.</p>")
    } else {
        page(StatusCode::BAD_REQUEST, "<p>There is no such code or no such user.</p>")
    }
}

/// RFC 6750 §2.1.
fn bearer(request: &Request<Incoming>) -> Result<Option<String>, Refusal> {
    let Some(value) = request.headers().get(AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
    token.map(|token| Some(token.to_owned())).ok_or(Refusal::Unauthorized)
}

/// The API key, where the request carries one, and its JSON body.
async fn json_body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<(Option<String>, T), Refusal> {
    const INVALID: Refusal = Refusal::OAuth("invalid_request", "The body is not the JSON that is expected.");
    let bearer = bearer(&request)?;
    if request.headers().get(CONTENT_TYPE).is_none_or(|kind| !is_json(kind)) {
        return Err(INVALID);
    }
    let body = body(request).await.ok_or(INVALID)?;
    Ok((bearer, serde_json::from_slice(&body).map_err(|_| INVALID)?))
}

fn is_json(kind: &HeaderValue) -> bool {
    let essence = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn answer(status: StatusCode, outcome: Result<Value, Refusal>) -> Reply {
    match outcome {
        Ok(value) => json_reply(status, &value),
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
        Refusal::Code(code) => json_reply(
            StatusCode::BAD_REQUEST,
            &json!({"code": code, "message": "The request could not be processed."}),
        ),
        Refusal::Step(step) => json_reply(StatusCode::FORBIDDEN, step),
        Refusal::NotFound => json_reply(StatusCode::NOT_FOUND, &json!({"message": "Not Found"})),
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
