//! HTTP replies: JSON, redirects and pages.

use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY};
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

pub(super) fn message_page(status: StatusCode, message: &str) -> Reply {
    page(status, &format!("<p>{}</p>", escape(message)))
}

pub(super) fn sign_in_page(transaction_id: &str, login_hint: Option<&str>) -> Reply {
    let (transaction, email) = (escape(transaction_id), escape(login_hint.unwrap_or_default()));
    page(
        StatusCode::OK,
        &format!(
            "<form method=\"post\" action=\"/sign-in\">\n\
             <input type=\"hidden\" name=\"transaction\" value=\"{transaction}\">\n\
             <label>E-mail <input type=\"email\" name=\"email\" value=\"{email}\"></label>\n\
             <button name=\"action\" value=\"sign-in\">Sign in</button>\n\
             <button name=\"action\" value=\"cancel\">Cancel</button>\n</form>"
        ),
    )
}

pub(super) fn device_page(user_code: &str) -> Reply {
    let code = escape(user_code);
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

fn page(status: StatusCode, content: &str) -> Reply {
    let html = format!("<!doctype html>\n<html lang=\"en\"><title>AuthKit for tests</title>\n{content}\n</html>\n");
    let mut reply = reply(status, "text/html; charset=utf-8", html);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
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
