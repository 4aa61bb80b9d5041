//! Webhooks: what is accepted, that each event is handled once, and what becomes of sessions.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{MemorySessionStore, SessionIndex, SessionStore, SignedOutReason, StoredSession};
use workos_auth::testing::{Fault, TestUser};
use workos_auth::webhook::{Delivery, EventData, WebhookError, WebhookErrorKind, WebhookSecret, Webhooks};
use workos_auth::{SessionManager, SessionState};

use crate::support::Outcome;
use crate::support::application::{AUTHENTICATE, Application, access_token};
use crate::support::login::PASSWORD;

/// As it is registered at WorkOS.
const ENDPOINT: &str = "https://example.com/webhooks/workos";

const CANARY: &str = "canary-in-an-event";

async fn start() -> Outcome<Application> {
    let users = ["ada@example.com", "bob@example.com"];
    Application::of(users.map(|email| TestUser::new(email).password(PASSWORD))).await
}

fn secret(name: &str) -> WebhookSecret {
    WebhookSecret::new(format!("secret-of-an-endpoint-{name}")).unwrap()
}

fn webhooks(app: &Application) -> Webhooks<MemorySessionStore> {
    Webhooks::new(&app.client, MemorySessionStore::new(), ENDPOINT, secret("one"))
}

fn unknown(app: &Application) -> Outcome<Request<Bytes>> {
    Ok(app.authkit.webhook(&secret("one"), "something.new", &json!({"id": "thing_1", "token": CANARY}))?)
}

/// Hands a request over, and says what the event was called.
async fn deliver<S: SessionStore>(
    webhooks: &Webhooks<S>,
    request: &Request<Bytes>,
) -> Result<Delivery<String>, WebhookError> {
    webhooks.handle(request.headers(), request.body(), async |event| Ok::<_, io::Error>(event.kind().to_owned())).await
}

/// It must be refused, without a run of the handler.
async fn refused<S: SessionStore>(webhooks: &Webhooks<S>, headers: &HeaderMap, body: &[u8]) -> WebhookErrorKind {
    let ran = async |_| -> Result<(), io::Error> { panic!("the handler of a refused request ran") };
    let error = webhooks.handle(headers, body, ran).await.unwrap_err();
    assert!(error.status().is_client_error());
    error.kind()
}

#[tokio::test]
async fn what_workos_signed_is_handled() -> Outcome {
    let app = start().await?;
    let request = unknown(&app)?;
    assert_eq!(deliver(&webhooks(&app), &request).await?, Delivery::Handled("something.new".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_changed_or_rewritten_body_is_refused() -> Outcome {
    let app = start().await?;
    let webhooks = webhooks(&app);
    let request = unknown(&app)?;
    for place in 0..request.body().len() {
        let mut body = request.body().to_vec();
        body[place] ^= 1;
        assert_eq!(refused(&webhooks, request.headers(), &body).await, WebhookErrorKind::WrongSignature, "{place}");
    }
    let text = str::from_utf8(request.body())?;
    for body in
        [format!("{text} "), format!("\u{feff}{text}"), format!("{text}\n"), text.replace("\":", "\": "), String::new()]
    {
        assert_eq!(refused(&webhooks, request.headers(), body.as_bytes()).await, WebhookErrorKind::WrongSignature);
    }
    // The same JSON, written by another library: keys in another order. It is neither the alphabet's nor that of the original, as
    // `serde_json` keeps either, depending on what other packages of the build ask of it.
    let parsed: Value = serde_json::from_slice(request.body())?;
    let turned = format!(
        "{{\"event\":{},\"created_at\":{},\"id\":{},\"data\":{}}}",
        parsed["event"], parsed["created_at"], parsed["id"], parsed["data"]
    );
    assert_ne!(turned, text);
    assert_eq!(serde_json::from_str::<Value>(&turned)?, parsed);
    assert_eq!(refused(&webhooks, request.headers(), turned.as_bytes()).await, WebhookErrorKind::WrongSignature);
    Ok(())
}

#[tokio::test]
async fn headers_that_lie_are_refused() -> Outcome {
    let app = start().await?;
    let webhooks = webhooks(&app);
    let request = unknown(&app)?;
    let header = request.headers()["workos-signature"].to_str()?;
    let (time, signature) = header.split_once(", ").ok_or("two parts")?;
    let with = |value: String| HeaderMap::from_iter([("workos-signature".parse().unwrap(), value.parse().unwrap())]);
    let milliseconds: i64 = time[2..].parse()?;
    for (value, kind) in [
        (time.to_owned(), WebhookErrorKind::MalformedSignature),
        (format!("{time}, {signature}, {signature}"), WebhookErrorKind::MalformedSignature),
        (format!("{time}, {}", signature.to_uppercase()), WebhookErrorKind::MalformedSignature),
        (format!("{time}, v1={}", "0".repeat(64)), WebhookErrorKind::WrongSignature),
        // The time is signed, too.
        (format!("t={}, {signature}", milliseconds + 1), WebhookErrorKind::WrongSignature),
        (format!("t={}, {signature}", milliseconds / 1000), WebhookErrorKind::WrongSignature),
    ] {
        assert_eq!(refused(&webhooks, &with(value.clone()), request.body()).await, kind, "{value}");
    }
    assert_eq!(refused(&webhooks, &HeaderMap::new(), request.body()).await, WebhookErrorKind::MissingSignature);
    let mut twice = request.headers().clone();
    twice.append("workos-signature", header.parse()?);
    assert_eq!(refused(&webhooks, &twice, request.body()).await, WebhookErrorKind::RepeatedSignature);
    // Two headers that a proxy has joined are no better.
    let joined = with(format!("{header},{header}"));
    assert_eq!(refused(&webhooks, &joined, request.body()).await, WebhookErrorKind::MalformedSignature);
    // What is refused isn't remembered as handled.
    assert!(matches!(deliver(&webhooks, &request).await?, Delivery::Handled(_)));
    Ok(())
}

#[tokio::test]
async fn secrets_are_rotated_one_after_the_other() -> Outcome {
    let app = start().await?;
    let rotating = webhooks(&app).or_secret(secret("two"));
    for (name, is_good) in [("one", true), ("two", true), ("three", false)] {
        let request = app.authkit.webhook(&secret(name), "something.new", &json!({}))?;
        assert_eq!(deliver(&rotating, &request).await.is_ok(), is_good, "{name}");
    }
    let request = app.authkit.webhook(&secret("two"), "something.new", &json!({}))?;
    let kind = refused(&webhooks(&app), request.headers(), request.body()).await;
    assert_eq!(kind, WebhookErrorKind::WrongSignature);
    for text in ["", "short", "with a space in its middle", "with-a-l\u{ed}ne-of-text"] {
        assert!(WebhookSecret::new(text).is_err(), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_signature_is_good_for_three_minutes_before_and_after() -> Outcome {
    let second = Duration::from_secs(1);
    let tolerance = Duration::from_secs(180);
    let app = start().await?;
    // The request waits.
    for (wait, kind) in [
        (tolerance, None),
        (tolerance + Duration::from_millis(1), Some(WebhookErrorKind::TooOld)),
        (tolerance + second, Some(WebhookErrorKind::TooOld)),
    ] {
        let request = unknown(&app)?;
        app.clock.advance(wait);
        let result = deliver(&webhooks(&app), &request).await;
        assert_eq!(result.err().map(|error| error.kind()), kind, "{wait:?}");
    }
    let late = unknown(&app)?;
    app.clock.advance(Duration::from_secs(179));
    assert!(deliver(&webhooks(&app), &late).await.is_ok());
    // WorkOS's clock is ahead: by 179 s, 180 s and 181 s.
    for (ahead, kind) in [(179, None), (180, None), (181, Some(WebhookErrorKind::TooNew))] {
        let ahead_of_us = start().await?;
        ahead_of_us.authkit.advance(Duration::from_secs(ahead));
        let result = deliver(&webhooks(&start().await?), &unknown(&ahead_of_us)?).await;
        assert_eq!(result.err().map(|error| error.kind()), kind, "{ahead}");
    }
    Ok(())
}

#[tokio::test]
async fn a_large_body_is_refused_before_its_signature_is_computed() -> Outcome {
    let app = start().await?;
    let request = unknown(&app)?;
    let size = request.body().len();
    assert!(deliver(&webhooks(&app).max_body_bytes(size), &request).await.is_ok());
    let small = webhooks(&app).max_body_bytes(size - 1);
    assert_eq!(refused(&small, request.headers(), request.body()).await, WebhookErrorKind::TooLarge);
    assert_eq!(deliver(&small, &request).await.unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
    Ok(())
}

#[tokio::test]
async fn what_is_signed_and_no_event_is_refused() -> Outcome {
    let app = start().await?;
    let webhooks = webhooks(&app);
    let at = "2026-01-01T00:00:00.000Z";
    for body in [
        String::new(),
        "null".to_owned(),
        "{}".to_owned(),
        "[1]".to_owned(),
        "{".to_owned(),
        json!({"id": "event_1", "event": "something.new", "created_at": at}).to_string(),
        json!({"id": "event_1", "data": {}, "created_at": at}).to_string(),
        json!({"event": "something.new", "data": {}, "created_at": at}).to_string(),
        json!({"id": "", "event": "something.new", "data": {}, "created_at": at}).to_string(),
        json!({"id": "event_1", "event": "something.new", "data": {}, "created_at": "yesterday"}).to_string(),
        // The data isn't what the name says.
        json!({"id": "event_1", "event": "session.revoked", "data": {"user_id": "user_1"}, "created_at": at})
            .to_string(),
        json!({"id": "event_1", "event": "user.deleted", "data": null, "created_at": at}).to_string(),
    ] {
        let request = app.authkit.sign_webhook(&secret("one"), body.clone())?;
        assert_eq!(refused(&webhooks, request.headers(), request.body()).await, WebhookErrorKind::Unreadable, "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn an_event_is_handled_once_however_often_it_comes() -> Outcome {
    let app = start().await?;
    let store = Arc::new(MemorySessionStore::new());
    let (here, there) = (
        Webhooks::new(&app.client, Arc::clone(&store), ENDPOINT, secret("one")),
        Webhooks::new(&app.another_client(), Arc::clone(&store), ENDPOINT, secret("one")),
    );
    let request = unknown(&app)?;
    assert!(matches!(deliver(&here, &request).await?, Delivery::Handled(_)));
    for _ in 0..3 {
        assert_eq!(deliver(&here, &request).await?, Delivery::Repeated);
        assert_eq!(deliver(&there, &request).await?, Delivery::Repeated, "by another process");
    }
    // Another event is another event.
    assert!(matches!(deliver(&here, &unknown(&app)?).await?, Delivery::Handled(_)));
    Ok(())
}

/// WorkOS sends an event again for three days, each time with a new signature.
#[tokio::test(start_paused = true)]
async fn an_event_that_comes_again_after_three_days_is_known() -> Outcome {
    const HALF_A_DAY: Duration = Duration::from_secs(43_200);
    let app = start().await?;
    let webhooks = webhooks(&app);
    let request = unknown(&app)?;
    assert!(matches!(deliver(&webhooks, &request).await?, Delivery::Handled(_)));
    for half_days in 1..=9 {
        // The store goes by tokio's time.
        app.clock.advance(HALF_A_DAY);
        tokio::time::advance(HALF_A_DAY).await;
        let again = app.authkit.sign_webhook(&secret("one"), request.body().clone())?;
        assert_ne!(again.headers(), request.headers());
        let is_known = deliver(&webhooks, &again).await? == Delivery::Repeated;
        assert_eq!(is_known, half_days < 8, "after {half_days} half days");
        if !is_known {
            break;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_handled_is_forgotten_after_its_time() -> Outcome {
    let app = start().await?;
    let webhooks = webhooks(&app).remember_for(Duration::from_secs(60));
    let request = unknown(&app)?;
    assert!(matches!(deliver(&webhooks, &request).await?, Delivery::Handled(_)));
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(deliver(&webhooks, &request).await?, Delivery::Repeated);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(matches!(deliver(&webhooks, &request).await?, Delivery::Handled(_)));
    Ok(())
}

#[tokio::test]
async fn an_event_whose_handler_failed_is_handled_when_it_comes_again() -> Outcome {
    let app = start().await?;
    let webhooks = webhooks(&app);
    let request = unknown(&app)?;
    for _ in 0..2 {
        let failing = async |_| Err::<(), _>(io::Error::other("the database is down"));
        let error = webhooks.handle(request.headers(), request.body(), failing).await.unwrap_err();
        assert_eq!(error.kind(), WebhookErrorKind::Handler);
        assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the database is down"));
    }
    assert!(matches!(deliver(&webhooks, &request).await?, Delivery::Handled(_)));
    assert_eq!(deliver(&webhooks, &request).await?, Delivery::Repeated);
    Ok(())
}

#[tokio::test]
async fn deliveries_at_the_same_time_are_handled_once() -> Outcome {
    const DELIVERIES: usize = 50;
    let app = start().await?;
    let webhooks = webhooks(&app);
    let request = Arc::new(unknown(&app)?);
    let (runs, go_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut tasks = JoinSet::new();
    for _ in 0..DELIVERIES {
        let (webhooks, request, runs, go_on) =
            (webhooks.clone(), Arc::clone(&request), Arc::clone(&runs), Arc::clone(&go_on));
        tasks.spawn(async move {
            let handler = async |_| {
                runs.fetch_add(1, Ordering::SeqCst);
                go_on.notified().await;
                Ok::<_, io::Error>(())
            };
            webhooks.handle(request.headers(), request.body(), handler).await
        });
    }
    // All others are refused while the one runs, with a status that makes WorkOS send the event later.
    for _ in 1..DELIVERIES {
        let error = tasks.join_next().await.ok_or("a delivery")??.unwrap_err();
        assert_eq!((error.kind(), error.status()), (WebhookErrorKind::InProgress, StatusCode::SERVICE_UNAVAILABLE));
    }
    go_on.notify_one();
    assert_eq!(tasks.join_next().await.ok_or("a delivery")???, Delivery::Handled(()));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(deliver(&webhooks, &request).await?, Delivery::Repeated);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_keeps_its_event() -> Outcome {
    let app = start().await?;
    let webhooks = webhooks(&app);
    let request = Arc::new(unknown(&app)?);
    let slow = tokio::spawn({
        let (webhooks, request) = (webhooks.clone(), Arc::clone(&request));
        async move {
            let handler = async |_| {
                tokio::time::sleep(Duration::from_secs(300)).await;
                Ok::<_, io::Error>(())
            };
            webhooks.handle(request.headers(), request.body(), handler).await
        }
    });
    for _ in 0..29 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(deliver(&webhooks, &request).await.unwrap_err().kind(), WebhookErrorKind::InProgress);
    }
    assert_eq!(slow.await??, Delivery::Handled(()));
    assert_eq!(deliver(&webhooks, &request).await?, Delivery::Repeated);
    Ok(())
}

/// Its own delivery isn't driven any more, as if it kept its thread busy.
#[tokio::test(start_paused = true)]
async fn a_handler_that_keeps_its_task_busy_keeps_its_event() -> Outcome {
    let app = start().await?;
    let webhooks = webhooks(&app);
    let request = unknown(&app)?;
    let never = webhooks.handle(request.headers(), request.body(), async |_| {
        std::future::pending::<()>().await;
        Ok::<_, io::Error>(())
    });
    let mut never = Box::pin(never);
    assert!(std::future::poll_fn(|context| Poll::Ready(never.as_mut().poll(context).is_pending())).await);
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(deliver(&webhooks, &request).await.unwrap_err().kind(), WebhookErrorKind::InProgress);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_cancelled_or_panics_leaves_its_event_to_others() -> Outcome {
    let app = start().await?;
    let webhooks = webhooks(&app);
    for panics in [false, true] {
        let request = Arc::new(unknown(&app)?);
        let (ours, its) = (webhooks.clone(), Arc::clone(&request));
        let task = tokio::spawn(async move {
            let handler = async |_| {
                assert!(!panics, "a panic of the handler");
                std::future::pending::<()>().await;
                Ok::<_, io::Error>(())
            };
            ours.handle(its.headers(), its.body(), handler).await
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        if !panics {
            assert_eq!(deliver(&webhooks, &request).await.unwrap_err().kind(), WebhookErrorKind::InProgress);
        }
        task.abort();
        assert_eq!(task.await.unwrap_err().is_panic(), panics);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(matches!(deliver(&webhooks, &request).await?, Delivery::Handled(_)), "{panics}");
        assert_eq!(deliver(&webhooks, &request).await?, Delivery::Repeated);
    }
    Ok(())
}

/// Fails as it is told.
#[derive(Default)]
struct Failing {
    store: MemorySessionStore,
    loads: AtomicUsize,
    locks: AtomicUsize,
    removals: AtomicUsize,
    /// Removals that find no room for a tombstone.
    full: AtomicUsize,
    /// Whether another owner has all locks.
    is_taken: AtomicBool,
}

fn fail(times: &AtomicUsize) -> io::Result<()> {
    let failed = times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if failed.is_ok() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
}

impl SessionStore for Failing {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        fail(&self.loads)?;
        self.store.load(key).await
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        self.store.create(key, sealed, index, lifetime).await
    }

    async fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> io::Result<bool> {
        self.store.replace(key, version, sealed, index, lifetime).await
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        self.store.find(hash, limit).await
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        fail(&self.removals)?;
        let tombstone = if fail(&self.full).is_err() { Duration::ZERO } else { tombstone };
        self.store.remove(key, tombstone).await
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        fail(&self.locks)?;
        if self.is_taken.load(Ordering::SeqCst) {
            return Ok(false);
        }
        self.store.lock(key, owner, lease).await
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        self.store.unlock(key, owner).await
    }
}

#[tokio::test]
async fn a_store_that_fails_makes_workos_send_the_event_again() -> Outcome {
    let app = start().await?;
    for what in ["locks", "loads", "removals"] {
        let store = Arc::new(Failing::default());
        let webhooks = Webhooks::new(&app.client, Arc::clone(&store), ENDPOINT, secret("one"));
        let request = unknown(&app)?;
        let count = match what {
            "locks" => &store.locks,
            "loads" => &store.loads,
            _ => &store.removals,
        };
        count.store(if what == "removals" { 4 } else { 1 }, Ordering::SeqCst);
        let error = deliver(&webhooks, &request).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.status()),
            (WebhookErrorKind::Store, StatusCode::SERVICE_UNAVAILABLE),
            "{what}"
        );
        assert!(matches!(deliver(&webhooks, &request).await?, Delivery::Handled(_)), "{what}");
        // What was handled is written down, also at a second attempt.
        let request = unknown(&app)?;
        store.removals.store(1, Ordering::SeqCst);
        assert!(matches!(deliver(&webhooks, &request).await?, Delivery::Handled(_)), "{what}");
        assert_eq!(deliver(&webhooks, &request).await?, Delivery::Repeated);
    }
    Ok(())
}

/// A store that has no room for a tombstone says that it has removed what was there.
#[tokio::test(start_paused = true)]
async fn a_full_store_makes_workos_send_the_event_again() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Failing::default());
    let webhooks = Webhooks::new(&app.client, Arc::clone(&store), ENDPOINT, secret("one"));
    let request = unknown(&app)?;
    store.full.store(4, Ordering::SeqCst);
    let error = deliver(&webhooks, &request).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (WebhookErrorKind::Store, StatusCode::SERVICE_UNAVAILABLE));
    store.full.store(3, Ordering::SeqCst);
    assert!(matches!(deliver(&webhooks, &request).await?, Delivery::Handled(_)), "there is room in the end");
    assert_eq!(deliver(&webhooks, &request).await?, Delivery::Repeated);
    // Nobody wants to know for longer than this.
    let forgetful = webhooks.remember_for(Duration::ZERO);
    assert!(matches!(deliver(&forgetful, &unknown(&app)?).await?, Delivery::Handled(_)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_event_was_taken_over_is_cancelled() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Failing::default());
    let webhooks = Webhooks::new(&app.client, Arc::clone(&store), ENDPOINT, secret("one"));
    let request = unknown(&app)?;
    let handler = async |_| {
        store.is_taken.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(60)).await;
        panic!("two handlers at once");
        #[expect(unreachable_code)]
        Ok::<(), io::Error>(())
    };
    let start = tokio::time::Instant::now();
    let error = webhooks.handle(request.headers(), request.body(), handler).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (WebhookErrorKind::InProgress, StatusCode::SERVICE_UNAVAILABLE));
    assert!(start.elapsed() < Duration::from_secs(15));
    store.is_taken.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(matches!(deliver(&webhooks, &request).await?, Delivery::Handled(_)));
    Ok(())
}

fn at(time: &str) -> String {
    format!("2026-01-0{time}T00:00:00.000Z")
}

/// Every kind that has a type, with the data that the vendor's documentation shows, and secrets where fields could have some.
fn examples() -> Vec<(&'static str, Value, &'static str)> {
    let session = json!({"object": "session", "id": "session_1", "user_id": "user_1", "organization_id": "org_1",
        "impersonator": {"email": "admin@example.com", "reason": null}, "ip_address": null, "user_agent": "curl",
        "auth_method": "password", "status": "revoked", "expires_at": at("9"), "ended_at": at("2"),
        "created_at": at("1"), "updated_at": at("2")});
    let user = json!({"object": "user", "id": "user_1", "email": "ada@example.com", "email_verified": true,
        "first_name": null, "created_at": at("1"), "updated_at": at("1")});
    let membership = json!({"object": "organization_membership", "id": "om_1", "user_id": "user_1",
        "organization_id": "org_1", "organization_name": "One", "status": "active", "role": {"slug": "member"},
        "created_at": at("1"), "updated_at": at("1")});
    let authentication = json!({"type": "password", "status": "failed", "user_id": null, "email": "ada@example.com",
        "ip_address": "192.0.2.1", "user_agent": null, "error": {"code": "invalid_credentials", "message": CANARY}});
    let sso = json!({"type": "sso", "status": "succeeded", "user_id": "user_1", "email": "ada@example.com",
        "ip_address": null, "user_agent": null,
        "sso": {"connection_id": "conn_1", "organization_id": "org_1", "session_id": "session_1"}});
    let risk = json!({"auth_method": "password", "action": "login", "control": "bot_detection", "blocklist_type": null,
        "ip_address": null, "user_agent": null, "user_id": "user_1", "email": "ada@example.com"});
    let emailed = json!({"id": "emailed_1", "user_id": "user_1", "email": "ada@example.com", "expires_at": at("9"),
        "created_at": at("1"), "updated_at": at("1"), "code": CANARY, "token": CANARY, "password_reset_url": CANARY});
    let invitation = json!({"object": "invitation", "id": "invitation_1", "email": "ada@example.com", "state": "pending",
        "accepted_at": null, "revoked_at": null, "expires_at": at("9"), "organization_id": null, "inviter_user_id": null,
        "accepted_user_id": null, "role_slug": null, "created_at": at("1"), "updated_at": at("1"), "token": CANARY,
        "accept_invitation_url": CANARY});
    let api_key = json!({"object": "api_key", "id": "api_key_1", "owner": {"type": "organization", "id": "org_1"},
        "name": "CI", "obfuscated_value": CANARY, "last_used_at": null, "permissions": ["posts:read"],
        "created_at": at("1"), "updated_at": at("1")});
    let role = json!({"object": "role", "slug": "admin", "resource_type_slug": "organization",
        "permissions": ["posts:write"], "created_at": at("1"), "updated_at": at("1")});
    vec![
        ("session.created", session.clone(), "SessionCreated"),
        ("session.revoked", session, "SessionRevoked"),
        ("user.created", user.clone(), "UserCreated"),
        ("user.updated", user.clone(), "UserUpdated"),
        ("user.deleted", user, "UserDeleted"),
        ("organization_membership.created", membership.clone(), "OrganizationMembershipCreated"),
        ("organization_membership.updated", membership.clone(), "OrganizationMembershipUpdated"),
        ("organization_membership.deleted", membership, "OrganizationMembershipDeleted"),
        ("authentication.password_failed", authentication.clone(), "AuthenticationFailed"),
        ("authentication.magic_auth_failed", authentication, "AuthenticationFailed"),
        ("authentication.sso_succeeded", sso.clone(), "AuthenticationSucceeded"),
        ("authentication.passkey_succeeded", sso, "AuthenticationSucceeded"),
        ("authentication.radar_risk_detected", risk, "RadarRiskDetected"),
        ("email_verification.created", emailed.clone(), "EmailVerificationCreated"),
        ("magic_auth.created", emailed.clone(), "MagicAuthCreated"),
        ("password_reset.created", emailed.clone(), "PasswordResetCreated"),
        ("password_reset.succeeded", emailed, "PasswordResetSucceeded"),
        ("invitation.created", invitation.clone(), "InvitationCreated"),
        ("invitation.accepted", invitation.clone(), "InvitationAccepted"),
        ("invitation.revoked", invitation.clone(), "InvitationRevoked"),
        ("invitation.resent", invitation, "InvitationResent"),
        ("api_key.created", api_key.clone(), "ApiKeyCreated"),
        ("api_key.revoked", api_key, "ApiKeyRevoked"),
        ("role.created", role.clone(), "RoleCreated"),
        ("role.updated", role.clone(), "RoleUpdated"),
        ("role.deleted", role, "RoleDeleted"),
        ("dsync.user.created", json!({"id": "directory_user_1", "token": CANARY}), "Unknown"),
        ("authentication.something_new", json!({"code": CANARY}), "Unknown"),
        ("session", json!(CANARY), "Unknown"),
    ]
}

#[tokio::test]
async fn each_kind_has_its_data_and_shows_no_secret() -> Outcome {
    let app = start().await?;
    let webhooks = webhooks(&app);
    for (kind, data, variant) in examples() {
        let request = app.authkit.webhook(&secret("one"), kind, &data)?;
        let seen = webhooks.handle(request.headers(), request.body(), async |event| {
            assert_eq!(event.kind(), kind);
            assert!(event.id().as_str().starts_with("event_"));
            assert_eq!(std::time::SystemTime::from(event.created_at()), app.clock.now());
            let text = format!("{event:?} {event:#?}");
            assert!(!text.contains(CANARY), "{text}");
            if let EventData::Unknown(unknown) = event.data() {
                assert_eq!((unknown.kind(), unknown.data()), (kind, &data), "it is kept as it came");
            }
            let shown = format!("{:?}", event.into_data());
            Ok::<_, io::Error>(shown.split('(').next().unwrap_or_default().to_owned())
        });
        assert_eq!(seen.await?, Delivery::Handled(variant.to_owned()), "{kind}");
    }
    let texts = format!("{webhooks:?} {:?}", secret(CANARY));
    assert!(!texts.contains("secret-of-an-endpoint") && !texts.contains(CANARY), "{texts}");
    Ok(())
}

fn removed(state: SessionState) {
    match state {
        SessionState::SignedOut(over) => assert_eq!(over.reason(), SignedOutReason::Removed),
        other => panic!("{other:?}"),
    }
}

type Manager = SessionManager<Arc<MemorySessionStore>>;

fn two_processes(app: &Application) -> [Manager; 2] {
    let store = Arc::new(MemorySessionStore::new());
    [(); 2].map(|()| SessionManager::new(app.another_client(), Arc::clone(&store)))
}

async fn sign_in(app: &Application, manager: &Manager, email: &str) -> Outcome<SessionHandle> {
    Ok(manager.sign_in(app.login(email).await?).await?)
}

async fn apply(manager: &Manager, request: &Request<Bytes>) -> Outcome<Delivery<usize>> {
    let webhooks = manager.webhooks(ENDPOINT, secret("one"));
    Ok(webhooks.handle(request.headers(), request.body(), async |event| manager.apply(&event).await).await?)
}

#[tokio::test]
async fn a_revoked_session_ends_at_once_in_all_processes() -> Outcome {
    let app = start().await?;
    let [here, there] = two_processes(&app);
    let (one, other) = (sign_in(&app, &here, "bob@example.com").await?, sign_in(&app, &here, "bob@example.com").await?);
    let session = there.authenticate(&one).await.active()?;
    let request = app.authkit.revoke_session(&secret("one"), session.token().session_id().as_str())?;
    assert_eq!(apply(&here, &request).await?, Delivery::Handled(1));
    removed(here.authenticate(&one).await);
    removed(there.authenticate(&one).await);
    access_token(there.authenticate(&other).await);
    assert_eq!(apply(&there, &request).await?, Delivery::Repeated);
    Ok(())
}

#[tokio::test]
async fn a_revoked_session_ends_while_two_processes_refresh_it() -> Outcome {
    let app = start().await?;
    let [here, there] = two_processes(&app);
    let handle = sign_in(&app, &here, "bob@example.com").await?;
    let session = here.authenticate(&handle).await.active()?;
    let session_id = session.token().session_id().as_str();
    app.expire();
    let before = app.requests();
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_secs(1)), 1);
    let revoke = async {
        while app.requests() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // WorkOS has refreshed the session, and its reply is on the way.
        let request = app.authkit.revoke_session(&secret("one"), session_id)?;
        apply(&here, &request).await
    };
    let (one, two, applied) = tokio::join!(here.authenticate(&handle), there.authenticate(&handle), revoke);
    assert_eq!(applied?, Delivery::Handled(1));
    assert_eq!(app.authkit.refreshes(), 1);
    for state in [one, two, here.authenticate(&handle).await, there.authenticate(&handle).await] {
        removed(state);
    }
    Ok(())
}

#[tokio::test]
async fn events_end_the_sessions_that_they_are_about() -> Outcome {
    let app = start().await?;
    let [here, there] = two_processes(&app);
    let user = app.login("bob@example.com").await?.user;
    let with = |status: &str| {
        json!({"id": "om_1", "user_id": user.id, "organization_id": "org_1", "status": status, "role": {"slug": "member"},
            "created_at": at("1"), "updated_at": at("1")})
    };
    let user_data = serde_json::to_value(&user)?;
    for (kind, data, ended) in [
        ("user.deleted", user_data.clone(), 2),
        ("user.updated", user_data, 0),
        ("organization_membership.deleted", with("active"), 2),
        ("organization_membership.deleted", with("inactive"), 2),
        ("organization_membership.deleted", with("pending"), 0),
        ("organization_membership.updated", with("inactive"), 2),
        ("organization_membership.updated", with("active"), 0),
        ("organization_membership.created", with("active"), 0),
        ("something.new", json!({"user_id": user.id}), 0),
    ] {
        let mut handles = Vec::new();
        for _ in 0..2 {
            handles.push(sign_in(&app, &here, "bob@example.com").await?);
        }
        let other = sign_in(&app, &here, "ada@example.com").await?;
        let request = app.authkit.webhook(&secret("one"), kind, &data)?;
        assert_eq!(apply(&here, &request).await?, Delivery::Handled(ended), "{kind} {data}");
        access_token(there.authenticate(&other).await);
        for handle in handles {
            match there.authenticate(&handle).await {
                SessionState::Active(_) => assert_eq!(ended, 0, "{kind} {data}"),
                state => removed(state),
            }
            there.sign_out(&handle, None).await?;
        }
    }
    Ok(())
}

/// Whatever else is in an event, or missing, keeps no session from ending.
#[tokio::test]
async fn sessions_end_by_ids_alone() -> Outcome {
    let app = start().await?;
    let [here, there] = two_processes(&app);
    let odd = json!({"strange": ["shape"]});
    let names = [
        "organization_id",
        "auth_method",
        "impersonator",
        "ip_address",
        "user_agent",
        "ended_at",
        "email",
        "email_verified",
        "first_name",
        "external_id",
        "metadata",
        "organization_name",
        "role",
        "roles",
        "directory_managed",
        "custom_attributes",
        "created_at",
        "updated_at",
        "user",
    ];
    for is_odd in [true, false] {
        for kind in
            ["session.revoked", "user.deleted", "organization_membership.deleted", "organization_membership.updated"]
        {
            let handle = sign_in(&app, &here, "bob@example.com").await?;
            let session = there.authenticate(&handle).await.active()?;
            let (user_id, session_id) = (session.user().id.as_str(), session.token().session_id().as_str());
            let needed = match kind {
                "session.revoked" => json!({"id": session_id, "user_id": user_id}),
                "user.deleted" => json!({"id": user_id}),
                _ => json!({"id": "om_1", "user_id": user_id, "organization_id": "org_1", "status": "inactive"}),
            };
            let mut data = needed.clone();
            for name in names.iter().filter(|name| is_odd && needed.get(name).is_none()) {
                data[name] = odd.clone();
            }
            let request = app.authkit.webhook(&secret("one"), kind, &data)?;
            assert_eq!(apply(&here, &request).await?, Delivery::Handled(1), "{data}");
            removed(there.authenticate(&handle).await);
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_event_that_could_not_be_applied_comes_again() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Failing::default());
    let manager = SessionManager::new(app.another_client(), Arc::clone(&store));
    let webhooks = manager.webhooks(ENDPOINT, secret("one"));
    let handle = manager.sign_in(app.login("bob@example.com").await?).await?;
    let session = manager.authenticate(&handle).await.active()?;
    let request = app.authkit.revoke_session(&secret("one"), session.token().session_id().as_str())?;
    store.removals.store(1, Ordering::SeqCst);
    let handled = || webhooks.handle(request.headers(), request.body(), async |event| manager.apply(&event).await);
    assert_eq!(handled().await.unwrap_err().kind(), WebhookErrorKind::Handler);
    access_token(manager.authenticate(&handle).await);
    assert_eq!(handled().await?, Delivery::Handled(1));
    removed(manager.authenticate(&handle).await);
    Ok(())
}
