//! HTTP replies: JSON and redirects.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use super::refusal::Refusal;

pub(super) type Reply = Response<Full<Bytes>>;

pub(super) fn json(status: StatusCode, value: &Value) -> Reply {
    reply(status, "application/json; charset=utf-8", value.to_string())
}

pub(super) fn json_or_refusal(result: Result<Value, Refusal>) -> Reply {
    match result {
        Ok(value) => json(StatusCode::OK, &value),
        Err(refusal) => self::refusal(&refusal),
    }
}

pub(super) fn refusal(refusal: &Refusal) -> Reply {
    json(refusal.status(), &refusal.body())
}

pub(super) fn no_content() -> Reply {
    reply(StatusCode::NO_CONTENT, "text/plain", String::new())
}

pub(super) fn redirect(location: &str) -> Reply {
    let mut reply = reply(StatusCode::FOUND, "text/plain; charset=utf-8", String::new());
    if let Ok(location) = HeaderValue::from_str(location) {
        reply.headers_mut().insert(LOCATION, location);
    }
    reply
}

pub(super) fn reply(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}
