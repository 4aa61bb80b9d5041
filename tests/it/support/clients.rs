//! Clients as tests have them.

use bytes::Bytes;
use workos_auth::testing::ManualClock;
use workos_auth::{Client, ClientBuilder, Confidential, Public};

/// Nobody listens there: for clients with a transport of their own.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";

/// It stands at the beginning of 2026 until it is moved.
pub(crate) fn clock() -> ManualClock {
    clock_at("2026-01-01T00:00:00Z")
}

/// It stands at this time, given as in RFC 3339, until it is moved.
pub(crate) fn clock_at(time: &str) -> ManualClock {
    ManualClock::new(time.parse::<jiff::Timestamp>().unwrap().into())
}

pub(crate) fn public(base_url: impl Into<String>) -> ClientBuilder<Public> {
    Client::builder().client_id("client_123").base_url(base_url)
}

pub(crate) fn confidential(base_url: impl Into<String>) -> ClientBuilder<Confidential> {
    public(base_url).api_key("sk_example")
}

/// What a transport of a test's own answers.
pub(crate) fn reply(status: u16, body: impl Into<Bytes>) -> http::Response<Bytes> {
    let mut reply = http::Response::new(body.into());
    *reply.status_mut() = http::StatusCode::from_u16(status).unwrap();
    reply
}
