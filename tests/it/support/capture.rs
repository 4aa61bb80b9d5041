//! Requests as they arrive at a real HTTP server, pinned byte for byte under `snapshots/`.

use std::sync::{Arc, Mutex};

use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};

pub(crate) const SIGNED_IN: &str = r#"{"user":{"object":"user","id":"user_01","email":"ada@example.com",
    "email_verified":true,"created_at":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"},
    "access_token":"access-token","refresh_token":"refresh-token",
    "impersonator":{"email":"support@example.com","reason":null}}"#;

/// A server that gives one reply, a finished login at first, and keeps what it was sent.
pub(crate) struct Recorder {
    server: MockServer,
    reply: Arc<Mutex<String>>,
    seen: Arc<Mutex<Vec<HttpMockRequest>>>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        Self::replying(SIGNED_IN).await
    }

    pub(crate) async fn replying(body: &str) -> Self {
        let server = MockServer::start_async().await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&seen);
        let reply = Arc::new(Mutex::new(body.to_owned()));
        let give = Arc::clone(&reply);
        server
            .mock_async(|when, then| {
                when.is_true(move |request| {
                    keep.lock().unwrap().push(request.clone());
                    true
                });
                then.respond_with(move |_| {
                    let body = give.lock().unwrap().clone();
                    HttpMockResponse::builder()
                        .status(200)
                        .header("content-type", "application/json")
                        .body(body)
                        .build()
                });
            })
            .await;
        Self { server, reply, seen }
    }

    /// What it replies from now on.
    pub(crate) fn reply(&self, body: impl ToString) {
        *self.reply.lock().unwrap() = body.to_string();
    }

    pub(crate) fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// The one request that arrived since the last call: request line, headers by name, exact body.
    pub(crate) fn take(&self) -> Vec<u8> {
        let mut seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "exactly one request is expected");
        let request = seen.remove(0);
        let uri = request.uri();
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        let mut headers: Vec<(String, String)> = request
            .headers_vec()
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            // The port is the operating system's choice, and the only thing that isn't reproducible.
            .map(|(name, value)| if name == "host" { (name, "127.0.0.1:PORT".to_owned()) } else { (name, value) })
            .collect();
        headers.sort();
        let line = format!("{} {target} {}", request.method_str(), request.version_ref());
        let headers = headers.into_iter().map(|(name, value)| format!("{name}: {value}"));
        let head: Vec<String> = std::iter::once(line).chain(headers).collect();
        let mut bytes = format!("{}\n\n", head.join("\n")).into_bytes();
        bytes.extend_from_slice(request.body_ref());
        bytes
    }
}

/// Compares exact bytes: the text form of insta forgives trailing newlines.
pub(crate) fn assert_bytes(name: &str, bytes: Vec<u8>) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_binary_snapshot!(name, bytes));
}
