//! Many tasks with one session: one refresh, however they come, fail, are cancelled or sign out.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use workos_auth::session::{RefreshError, SignedOutReason};
use workos_auth::testing::{Endpoint, Fault, ManualClock, Skew, TestUser};
use workos_auth::transport::TransportError;
use workos_auth::{
    ActiveSession, ClientId, Confidential, ConfidentialClient, CookiePassword, Error, ErrorCode, ErrorKind,
    ExposeSecret, OpenedSession, OrganizationId, Refreshed, SessionCookie,
};

use crate::support::Outcome;
use crate::support::application::{AUTHENTICATE, Application};
use crate::support::clients::{NOWHERE, clock, confidential, reply};
use crate::support::login::PASSWORD;
use crate::support::scripted::{api, response, response_in, session, session_in};
use crate::support::session::{assert_reason, keep, parts};

const TASKS: usize = 10_000;

/// An application that keeps its sessions in cookies.
struct Cookies {
    app: Application,
    cookie: Arc<SessionCookie>,
}

async fn start() -> Outcome<Application> {
    Application::of([TestUser::new("ada@example.com").password(PASSWORD)]).await
}

impl Cookies {
    async fn start() -> Outcome<Self> {
        Ok(Self { app: start().await?, cookie: Arc::new(SessionCookie::new(CookiePassword::generate()?)?) })
    }

    /// The cookie of a session whose access token has expired.
    async fn expired(&self) -> Outcome<String> {
        let session = self.app.client.session(self.app.login("ada@example.com").await?);
        self.app.expire();
        Ok(self.cookie.seal(&session)?)
    }

    fn open(&self, sealed: &str) -> OpenedSession<Confidential> {
        self.cookie.open(&self.app.client, sealed).unwrap()
    }

    /// The same session once more.
    fn again(&self, session: &OpenedSession<Confidential>) -> OpenedSession<Confidential> {
        self.open(&self.cookie.seal(session).unwrap())
    }

    /// What every task of a storm ends with: its tokens.
    async fn storm(&self, sealed: &str, jitter: Duration) -> BTreeSet<(String, String)> {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let (client, cookie, sealed) = (self.app.client.clone(), Arc::clone(&self.cookie), sealed.to_owned());
            let delay = jitter.mul_f64(f64::from(u32::try_from(task * 7_919 % TASKS).unwrap()) / 10_000.0);
            tasks.spawn(async move {
                tokio::time::sleep(delay).await;
                let parts = parts(cookie.open(&client, &sealed).unwrap().refresh().await.unwrap());
                (parts.access_token.expose_secret().to_owned(), parts.refresh_token.expose_secret().to_owned())
            });
        }
        let results = tasks.join_all().await;
        assert_eq!(results.len(), TASKS);
        results.into_iter().collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tasks_cause_one_refresh() -> Outcome {
    let cookies = Cookies::start().await?;
    let app = &cookies.app;
    let sealed = cookies.expired().await?;
    let before = app.authkit.requests_to(AUTHENTICATE);
    let results = cookies.storm(&sealed, Duration::ZERO).await;
    assert_eq!(results.len(), 1, "all have the same tokens");
    assert_eq!(app.authkit.requests_to(AUTHENTICATE) - before, 1);

    // A straggler 29 seconds later costs nothing, and gets the same.
    app.clock.advance(Duration::from_secs(29));
    let late = parts(cookies.open(&sealed).refresh().await?);
    assert!(results.iter().all(|(access, _)| access == late.access_token.expose_secret()));
    assert_eq!(app.authkit.requests_to(AUTHENTICATE) - before, 1);

    // What is not kept any more is for the API to judge.
    app.clock.advance(Duration::from_secs(2));
    let error = cookies.open(&sealed).refresh().await.unwrap_err();
    assert_eq!(error.error().code(), Some(&ErrorCode::InvalidGrant));
    assert_eq!(app.authkit.requests_to(AUTHENTICATE) - before, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_survives_a_lost_reply() -> Outcome {
    let cookies = Cookies::start().await?;
    let app = &cookies.app;
    let sealed = cookies.expired().await?;
    let before = app.authkit.requests_to(AUTHENTICATE);
    app.authkit.inject(AUTHENTICATE, Fault::LostAfter, 1);
    let results = cookies.storm(&sealed, Duration::from_millis(50)).await;
    assert_eq!(results.len(), 1, "all have the same tokens");
    assert_eq!(app.authkit.requests_to(AUTHENTICATE) - before, 2, "the one that was lost, and its replay");
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

#[test]
fn a_runtime_that_has_ended_blocks_no_sign_out() -> Outcome {
    let api = Api::rotating()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let session = runtime.block_on(api.active("t0"));
    drop(runtime);
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _entered = handle.enter();
        drop(session.sign_out(None));
        let _ = done.send(());
    });
    finished.recv_timeout(Duration::from_secs(5))?;
    Ok(())
}

/// An API that is answered by the test, one permit a reply.
struct Api {
    client: ConfidentialClient,
    requests: Arc<Mutex<Vec<Value>>>,
    permits: Arc<Semaphore>,
    clock: ManualClock,
}

impl Api {
    /// Rotates `t0`, `t1`, …; a token is good once.
    fn rotating() -> Outcome<Self> {
        Self::answering(|request, count| {
            let token = request["refresh_token"].as_str().unwrap();
            assert_eq!(token, format!("t{count}"), "each token is sent once, the newest first");
            (200, response_in(&format!("t{}", count + 1), &request["organization_id"]))
        })
    }

    fn answering(answer: impl Fn(&Value, usize) -> (u16, Value) + Send + Sync + 'static) -> Outcome<Self> {
        let clock = clock();
        let requests: Arc<Mutex<Vec<Value>>> = Arc::default();
        let permits = Arc::new(Semaphore::new(0));
        let (log, gate, answer) = (Arc::clone(&requests), Arc::clone(&permits), Arc::new(answer));
        let client = confidential(NOWHERE).clock(clock.clone()).build_with(api(move |body| {
            let (log, gate, answer) = (Arc::clone(&log), Arc::clone(&gate), Arc::clone(&answer));
            async move {
                let count = {
                    let mut log = log.lock().unwrap();
                    log.push(body.clone());
                    log.len() - 1
                };
                gate.acquire().await.unwrap().forget();
                let (status, body) = answer(&body, count);
                reply(status, body.to_string())
            }
        }))?;
        Ok(Self { client, requests, permits, clock })
    }

    fn session(&self, token: &str) -> OpenedSession<Confidential> {
        session(&self.client, token)
    }

    async fn active(&self, token: &str) -> ActiveSession<Confidential> {
        self.checked(session_in(&self.client, token, None)).await
    }

    /// A session that has new tokens, and is kept.
    async fn go_on(&self, refreshed: Refreshed<Confidential>) -> ActiveSession<Confidential> {
        self.checked(keep(refreshed)).await
    }

    async fn checked(&self, session: OpenedSession<Confidential>) -> ActiveSession<Confidential> {
        session.check(&self.client.verifier()).await.unwrap()
    }

    fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    fn answer(&self, times: usize) {
        self.permits.add_permits(times);
    }

    async fn until_asked(&self, times: usize) {
        while self.requests() < times {
            tokio::task::yield_now().await;
        }
    }
}

fn token(refreshed: Refreshed<Confidential>) -> String {
    parts(refreshed).refresh_token.expose_secret().to_owned()
}

fn organization(id: &str) -> OrganizationId {
    OrganizationId::new(id).unwrap()
}

/// Lets a future run until it waits, and drops it.
fn cancel(future: impl Future) {
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(pin!(future).poll(&mut context), Poll::Pending));
}

#[tokio::test]
async fn a_cancelled_caller_cancels_nobody() -> Outcome {
    let api = Api::rotating()?;
    cancel(api.session("t0").refresh().into_future());
    api.until_asked(1).await;
    let other = tokio::spawn(api.session("t0").refresh().into_future());
    tokio::task::yield_now().await;
    cancel(api.session("t0").refresh().into_future());
    api.answer(1);
    assert_eq!(token(other.await??), "t1");
    // The one who was cancelled comes back: the result is still there.
    assert_eq!(token(api.session("t0").refresh().await?), "t1");
    assert_eq!(api.requests(), 1);
    Ok(())
}

#[tokio::test]
async fn organizations_take_their_turn_on_the_one_token() -> Outcome {
    let api = Api::rotating()?;
    api.answer(100);
    let mut tasks = JoinSet::new();
    for task in 0..30 {
        let session = api.active("t0").await;
        tasks.spawn(async move {
            let refreshed = match task % 3 {
                0 => session.refresh().await,
                1 => session.switch_organization(organization("org_1")).await,
                _ => session.switch_organization(organization("org_2")).await,
            }
            .unwrap();
            let parts = parts(refreshed);
            let token = parts.refresh_token.expose_secret().to_owned();
            (task % 3, parts.organization_id.map(|id| id.to_string()), token)
        });
    }
    let results: BTreeSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(results.len(), 3, "one result for each organization: {results:?}");
    for (kind, organization, _) in &results {
        assert_eq!(organization.as_deref(), [None, Some("org_1"), Some("org_2")][*kind]);
    }
    assert_eq!(api.requests(), 3);
    Ok(())
}

#[tokio::test]
async fn a_straggler_goes_on_with_the_newest_token_in_its_own_organization() -> Outcome {
    let api = Api::rotating()?;
    api.answer(100);
    let switched = api.active("t0").await.switch_organization(organization("org_1")).await?;
    assert_eq!(token(api.go_on(switched).await.switch_organization(organization("org_2")).await?), "t2");
    // It was in org_1 when it got its token, and wants no other.
    let held = session_in(&api.client, "t1", Some(&organization("org_1")));
    let straggler = parts(held.refresh().await?);
    assert_eq!(straggler.organization_id, Some(organization("org_1")));
    assert_eq!(straggler.refresh_token.expose_secret(), "t3");
    assert_eq!(api.requests.lock().unwrap()[2]["organization_id"], "org_1");
    Ok(())
}

#[tokio::test]
async fn a_failure_is_shared_and_the_next_one_asks_again() -> Outcome {
    let api =
        Api::answering(|_, count| if count < 2 { (401, json!({"message": "no"})) } else { (200, response("t1")) })?;
    let tasks: Vec<_> = (0..20).map(|_| tokio::spawn(api.session("t0").refresh().into_future())).collect();
    api.until_asked(1).await;
    tokio::task::yield_now().await;
    api.answer(1);
    for task in tasks {
        let RefreshError::Kept(kept) = task.await?.unwrap_err() else { panic!("it is not over") };
        assert_eq!(token(kept.into_refreshed()), "t0");
    }
    assert_eq!(api.requests(), 1);
    api.answer(2);
    assert!(api.session("t0").refresh().await.is_err());
    assert_eq!(token(api.session("t0").refresh().await?), "t1");
    assert_eq!(api.requests(), 3);
    Ok(())
}

#[tokio::test]
async fn a_panic_leaves_nothing_stuck() -> Outcome {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let client = confidential(NOWHERE).build_with(api(move |_| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(call > 0, "the transport panics, which this test is about");
            reply(200, response("t1").to_string())
        }
    }))?;
    let RefreshError::Kept(kept) = session(&client, "t0").refresh().await.unwrap_err() else {
        panic!("it is not over")
    };
    assert!(matches!(kept.error().kind(), ErrorKind::Interrupted) && kept.error().is_transient());
    assert_eq!(token(keep(kept.into_refreshed()).refresh().await?), "t1");
    Ok(())
}

#[test]
fn a_runtime_that_ends_leaves_nothing_stuck() -> Outcome {
    let api = Api::rotating()?;
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let first = runtime()?;
    first.block_on(async {
        cancel(api.session("t0").refresh().into_future());
        api.until_asked(1).await;
    });
    drop(first);
    api.requests.lock().unwrap().clear();
    api.answer(1);
    assert_eq!(runtime()?.block_on(async { Outcome::Ok(token(api.session("t0").refresh().await?)) })?, "t1");
    Ok(())
}

#[test]
fn a_runtime_that_stands_still_holds_nobody_up() -> Outcome {
    let api = Api::rotating()?;
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let first = runtime()?;
    first.block_on(async {
        cancel(api.session("t0").refresh().into_future());
        api.until_asked(1).await;
    });
    // WorkOS answers the same token with the same pair. The first permit goes to the request that stands still.
    api.requests.lock().unwrap().clear();
    api.answer(2);
    let started = Instant::now();
    let others = async {
        let waiting: Vec<_> = (0..20).map(|_| tokio::spawn(api.session("t0").refresh().into_future())).collect();
        for session in waiting {
            assert_eq!(token(session.await??), "t1");
        }
        Outcome::Ok(())
    };
    runtime()?.block_on(others)?;
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    assert_eq!(api.requests(), 1, "one of them has asked again");
    // When it goes on, what it brings changes nothing.
    api.requests.lock().unwrap().clear();
    first.block_on(async { tokio::time::sleep(Duration::from_millis(100)).await });
    assert_eq!(runtime()?.block_on(async { Outcome::Ok(token(api.session("t0").refresh().await?)) })?, "t1");
    Ok(())
}

#[tokio::test]
async fn a_straggler_gets_no_pair_that_is_spent() -> Outcome {
    let api = Api::rotating()?;
    api.answer(100);
    let second = keep(api.session("t0").refresh().await?);
    assert_eq!(token(second.refresh().await?), "t2");
    assert_eq!(token(api.session("t0").refresh().await?), "t2");
    // Neither one that is about to be.
    let third = tokio::spawn(api.session("t2").refresh().into_future());
    api.until_asked(3).await;
    assert_eq!(token(api.session("t0").refresh().await?), "t3");
    assert_eq!(token(third.await??), "t3");
    assert_eq!(api.requests(), 3);
    Ok(())
}

#[tokio::test]
async fn a_replay_gives_no_pair_that_this_process_has_spent() -> Outcome {
    // Another process has exchanged the first token, and its pair went on here.
    let api = Api::answering(|request, _| match request["refresh_token"].as_str() {
        Some("t0") => (200, response("t1")),
        Some("t1") => (200, response("t2")),
        other => panic!("{other:?}"),
    })?;
    api.answer(10);
    assert_eq!(token(api.session("t1").refresh().await?), "t2");
    assert_eq!(token(api.session("t0").refresh().await?), "t2");
    assert_eq!(api.requests(), 2);
    Ok(())
}

#[tokio::test]
async fn a_switch_that_brings_another_organization_is_none() -> Outcome {
    let api = Api::answering(|_, count| (200, response_in(&format!("t{}", count + 1), &json!("org_old"))))?;
    api.answer(100);
    let refused = api.active("t0").await.switch_organization(organization("org_new")).await;
    let RefreshError::Kept(kept) = refused.unwrap_err() else { panic!("it is not over") };
    assert!(!kept.error().is_transient());
    // The pair that came all the same is not lost.
    let parts = parts(kept.into_refreshed());
    assert_eq!(parts.organization_id, Some(organization("org_old")));
    assert_eq!(parts.refresh_token.expose_secret(), format!("t{}", api.requests()));
    assert!(api.requests() <= 3);
    Ok(())
}

#[tokio::test]
async fn a_replay_in_another_organization_is_no_switch_to_the_old_one() -> Outcome {
    // Another process has switched, and this one's refresh gets its pair.
    let api = Api::answering(|request, count| {
        let organization = request.get("organization_id").cloned().unwrap_or(json!("org_other"));
        (200, response_in(&format!("t{}", count + 1), &organization))
    })?;
    api.answer(100);
    drop(session_in(&api.client, "t0", Some(&organization("org_old"))).refresh().await?);
    let switched = api.active("t0").await.switch_organization(organization("org_old")).await?;
    assert_eq!(parts(switched).organization_id, Some(organization("org_old")));
    Ok(())
}

#[tokio::test]
async fn an_api_that_advises_no_pause_gets_one() -> Outcome {
    let clock = clock();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let client = confidential(NOWHERE).clock(clock.clone()).build_with(move |_: http::Request<Bytes>| {
        let status = if count.fetch_add(1, Ordering::SeqCst) < 1_000 { 503 } else { 400 };
        async move {
            let reply = http::Response::builder().status(status).header("retry-after", "0");
            Ok::<_, TransportError>(reply.body(Bytes::new()).unwrap())
        }
    })?;
    let refused = session(&client, "t0").refresh().await.unwrap_err();
    assert!(matches!(refused, RefreshError::Kept(_)));
    assert!(requests.load(Ordering::SeqCst) < 100, "{requests:?}");
    Ok(())
}

fn is_signed_out(outcome: Result<Refreshed<Confidential>, RefreshError<Confidential>>) -> bool {
    let Err(RefreshError::Ended(over)) = outcome else { return false };
    assert_reason(&over, SignedOutReason::Ended);
    matches!(Error::from(over).kind(), ErrorKind::SignedOut)
}

#[tokio::test]
async fn a_refresh_that_ends_after_sign_out_is_thrown_away() -> Outcome {
    let api = Api::rotating()?;
    for wait in [0, 610] {
        api.requests.lock().unwrap().clear();
        let under_way = tokio::spawn(api.session("t0").refresh().into_future());
        api.until_asked(1).await;
        drop(api.active("t0").await.sign_out(None));
        assert!(is_signed_out(api.session("t0").refresh().await), "nobody asks again");
        // The reply may come when even the memory of the sign-out is gone.
        api.clock.advance(Duration::from_secs(wait));
        drop(api.active("t9").await.sign_out(None));
        api.answer(1);
        assert!(is_signed_out(under_way.await?));
        assert_eq!(api.requests(), 1);
        api.clock.advance(Duration::from_secs(601));
    }
    Ok(())
}

#[tokio::test]
async fn sign_out_reaches_the_tokens_before_and_after() -> Outcome {
    // Signed out with the newest token: those who still hold the first ones get nothing.
    let api = Api::rotating()?;
    api.answer(10);
    let refreshed = api.session("t0").refresh().await?;
    let switched = api.go_on(refreshed).await.switch_organization(organization("org_1")).await?;
    drop(api.go_on(switched).await.sign_out(None));
    for old in ["t0", "t1", "t2"] {
        assert!(is_signed_out(api.session(old).refresh().await), "{old}");
    }
    // Signed out with the first one: the newest is of no use either.
    let api = Api::rotating()?;
    api.answer(10);
    let newest = keep(api.session("t0").refresh().await?);
    drop(api.active("t0").await.sign_out(None));
    assert!(is_signed_out(newest.refresh().await));
    assert_eq!(api.requests(), 1);
    Ok(())
}

#[tokio::test]
async fn a_terminal_answer_reaches_the_tokens_before() -> Outcome {
    let api = Api::answering(|_, count| match count {
        0 => (200, response("t1")),
        _ => (403, json!({"code": "sso_required", "message": "m", "email": "a@b.c", "connection_ids": []})),
    })?;
    api.answer(10);
    let newest = keep(api.session("t0").refresh().await?);
    for session in [newest, api.session("t0"), api.session("t1")] {
        let RefreshError::Ended(over) = session.refresh().await.unwrap_err() else { panic!("it is over") };
        assert_eq!(over.error().and_then(Error::code), Some(&ErrorCode::SsoRequired));
    }
    assert_eq!(api.requests(), 2);
    Ok(())
}

#[tokio::test]
async fn clients_with_another_id_share_nothing() -> Outcome {
    let api = Api::answering(|request, _| (200, response(&format!("of {}", request["client_id"].as_str().unwrap()))))?;
    api.answer(10);
    let other = api.client.with_client_id(ClientId::new("client_456")?);
    assert_eq!(token(api.session("t0").refresh().await?), "of client_123");
    assert_eq!(token(session(&other, "t0").refresh().await?), "of client_456");
    Ok(())
}

#[tokio::test]
async fn what_is_kept_is_bounded() -> Outcome {
    let api =
        Api::answering(|request, _| (200, response(&format!("{}-next", request["refresh_token"].as_str().unwrap()))))?;
    api.answer(10_000);
    for number in 0..5_000 {
        drop(api.session(&format!("t{number}")).refresh().await?);
    }
    assert_eq!(api.requests(), 5_000);
    drop(api.session("t4999").refresh().await?);
    assert_eq!(api.requests(), 5_000, "the newest are kept");
    drop(api.session("t0").refresh().await?);
    assert_eq!(api.requests(), 5_001, "the oldest are not");
    Ok(())
}

#[tokio::test]
async fn keys_rotate_without_a_failed_check() -> Outcome {
    let cookies = Cookies::start().await?;
    let app = &cookies.app;
    let verifier = app.client.verifier();
    let mut session = keep(cookies.open(&cookies.expired().await?).refresh().await?);
    for round in 0..20 {
        assert!(cookies.again(&session).check(&verifier).await.is_ok(), "round {round}");
        app.authkit.rotate_keys()?;
        let (old, refreshed) = (cookies.again(&session), keep(session.refresh().await?));
        // Tokens of the old key and of the new one are checked side by side.
        app.clock.advance(Duration::from_secs(31));
        assert!(cookies.again(&refreshed).check(&verifier).await.is_ok(), "round {round}");
        assert!(old.check(&verifier).await.is_ok(), "round {round}");
        app.clock.advance(Duration::from_secs(301));
        session = keep(refreshed.refresh().await?);
        app.authkit.retire_keys();
        // An outage of the keys doesn't stop the application.
        app.authkit.inject_for(Endpoint::Jwks, Fault::LostBefore, Duration::from_secs(600));
        assert!(cookies.again(&session).check(&verifier).await.is_ok(), "round {round}");
        app.authkit.heal();
    }
    let fetches = app.authkit.requests_to(Endpoint::Jwks);
    assert!((20..=45).contains(&fetches), "{fetches} fetches");
    Ok(())
}

#[tokio::test]
async fn servers_ahead_of_us_are_trusted_for_a_minute() -> Outcome {
    let cookies = Cookies::start().await?;
    let app = &cookies.app;
    let verifier = app.client.verifier();
    let secs = Duration::from_secs;
    for (skew, good) in [
        (Skew::Ahead(secs(59)), true),
        (Skew::Ahead(secs(61)), false),
        (Skew::Behind(secs(299)), true),
        (Skew::Behind(secs(300)), false),
    ] {
        app.authkit.set_skew(skew);
        let session = keep(cookies.open(&cookies.expired().await?).refresh().await?);
        let check = session.check(&verifier).await;
        assert_eq!(check.is_ok(), good, "{skew:?}: {check:?}");
    }
    Ok(())
}
