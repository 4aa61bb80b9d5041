//! Sessions in a table of the application: a refresh and its write are one task, whatever becomes of the request handler, of other
//! processes and of the user meanwhile.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, timeout};
use workos_auth::session::{NotActive, NotKept, Refresh, SessionUpdate, SessionVersion, SignedOutReason};
use workos_auth::testing::{Fault, Skew, TestUser};
use workos_auth::{
    ActiveSession, Confidential, ConfidentialClient, CookiePassword, Error, ErrorCode, ErrorKind, ExpiredSession,
    OpenedSession, OrganizationId, SessionCookie,
};

use crate::support::Outcome;
use crate::support::application::{AUTHENTICATE, Application};
use crate::support::login::{PASSWORD, in_browser};
use crate::support::session::assert_reason;

const ROW: &str = "row 1";

/// A table of an application, as one of its processes sees it. A write takes a few steps, and fails when the test says so.
#[derive(Clone)]
struct Table {
    rows: Arc<Mutex<HashMap<&'static str, (SessionVersion, String)>>>,
    seal: SessionCookie,
    writes: Arc<AtomicUsize>,
    failures: Arc<AtomicUsize>,
    /// So many writes panic, by turns before their first await and after it.
    panics: Arc<AtomicUsize>,
    /// What a write waits for.
    gate: Arc<Semaphore>,
}

/// A write in flight.
type Writing = Pin<Box<dyn Future<Output = io::Result<bool>> + Send>>;

fn open_gate() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(Semaphore::MAX_PERMITS))
}

impl Table {
    fn new() -> Outcome<Self> {
        Ok(Self {
            rows: Arc::default(),
            seal: SessionCookie::new(CookiePassword::generate()?)?,
            writes: Arc::default(),
            failures: Arc::default(),
            panics: Arc::default(),
            gate: open_gate(),
        })
    }

    /// The same rows, and faults of its own.
    fn of_another_process(&self) -> Outcome<Self> {
        Ok(Self { rows: Arc::clone(&self.rows), seal: self.seal.clone(), ..Self::new()? })
    }

    fn panic_if_told(&self, is_late: bool) {
        let left = self.panics.load(Ordering::SeqCst);
        if left > 0 && is_late == left.is_multiple_of(2) {
            self.panics.fetch_sub(1, Ordering::SeqCst);
            panic!("as the test says");
        }
    }

    fn put(&self, session: &OpenedSession<Confidential>) -> Outcome {
        self.rows.lock().unwrap().insert(ROW, (session.version(), self.seal.seal(session)?));
        Ok(())
    }

    fn version(&self) -> Option<SessionVersion> {
        self.rows.lock().unwrap().get(ROW).map(|(version, _)| version.clone())
    }

    fn delete(&self) {
        self.rows.lock().unwrap().remove(ROW);
    }

    fn open(&self, client: &ConfidentialClient) -> Option<OpenedSession<Confidential>> {
        let sealed = self.rows.lock().unwrap().get(ROW).map(|(_, sealed)| sealed.clone());
        sealed.map(|sealed| self.seal.open(client, &sealed).unwrap())
    }

    /// As `UPDATE … WHERE id = ? AND version = ?` and `DELETE` do.
    async fn write(self, update: SessionUpdate<Confidential>) -> io::Result<bool> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.map_err(io::Error::other)?.forget();
        for _ in 0..5 {
            yield_now().await;
        }
        self.panic_if_told(true);
        if self.failures.load(Ordering::SeqCst) > 0 {
            self.failures.fetch_sub(1, Ordering::SeqCst);
            return Err(io::Error::other("the disk is full"));
        }
        let mut rows = self.rows.lock().unwrap();
        if rows.get(ROW).is_none_or(|(version, _)| *version != update.replaces) {
            return Ok(false);
        }
        match update.session {
            Some(session) => rows.insert(ROW, (session.version(), self.seal.seal(&session).map_err(io::Error::other)?)),
            None => rows.remove(ROW),
        };
        Ok(true)
    }

    fn writer(&self) -> impl Fn(SessionUpdate<Confidential>) -> Writing + Send + Sync + use<> {
        let table = self.clone();
        move |update| {
            table.panic_if_told(false);
            Box::pin(table.clone().write(update))
        }
    }

    async fn keep(&self, refresh: Refresh<Confidential>) -> Result<OpenedSession<Confidential>, NotKept> {
        refresh.keep(self.writer()).await
    }

    async fn until_written(&self, times: usize) {
        while self.writes.load(Ordering::SeqCst) < times {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Table {
    async fn until_not(&self, old: Option<&SessionVersion>) -> Outcome {
        let written = async {
            while self.version().as_ref() == old {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        Ok(timeout(Duration::from_secs(20), written).await.map_err(|_| "the pair is lost")?)
    }
}

struct Own {
    app: Application,
    table: Table,
}

impl Own {
    /// With a session in the table whose access token has expired.
    async fn start() -> Outcome<Self> {
        let ada = TestUser::new("ada@example.com").password(PASSWORD);
        let app = Application::configured([ada], |builder| builder.timeout(Duration::from_millis(500))).await?;
        let own = Self { app, table: Table::new()? };
        own.sign_in().await?;
        Ok(own)
    }

    /// The session of the table.
    async fn expired(&self) -> ExpiredSession<Confidential> {
        let session = self.table.open(&self.app.client).unwrap();
        match session.check(&self.app.client.verifier()).await {
            Err(NotActive::Expired(expired)) => expired,
            other => panic!("it has expired: {other:?}"),
        }
    }

    async fn sign_in(&self) -> Outcome {
        self.table.put(&self.app.client.session(self.app.login("ada@example.com").await?))?;
        self.app.expire();
        Ok(())
    }

    fn close(&self) {
        self.table.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn open(&self) {
        self.table.gate.add_permits(1_000);
    }
}

/// What a request handler does.
async fn authenticate(
    client: &ConfidentialClient,
    table: &Table,
) -> Result<Option<ActiveSession<Confidential>>, Error> {
    for _ in 0..5 {
        let Some(session) = table.open(client) else { return Ok(None) };
        match session.check_and_keep(&client.verifier(), table.writer()).await {
            Ok(active) => return Ok(Some(active)),
            Err(NotKept::Changed) => {}
            Err(NotKept::Ended(_)) => return Ok(None),
            Err(NotKept::Unavailable(error)) => return Err(error),
        }
    }
    panic!("the row changes whenever it is read");
}

/// The session in the table, refreshed by this process.
async fn refresh(client: &ConfidentialClient, table: &Table) -> Result<OpenedSession<Confidential>, NotKept> {
    table.keep(table.open(client).unwrap().refresh()).await
}

/// Polls a future so often, and drops it. Whether it came to its end.
async fn drop_after(polls: usize, future: impl Future) -> bool {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|context| {
        polled += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if polled == polls => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_handler_that_is_dropped_at_any_await_loses_no_pair() -> Outcome {
    let own = Own::start().await?;
    let another = own.app.another_client();
    let mut drops_after_the_request = 0;
    for polls in 1.. {
        let (old, requests) = (own.table.version(), own.app.requests());
        let is_done = drop_after(polls, authenticate(&own.app.client, &own.table)).await;
        // If a request is on its way, it comes within this time.
        tokio::time::sleep(Duration::from_millis(150)).await;
        if own.app.requests() > requests {
            own.table.until_not(old.as_ref()).await?;
            drops_after_the_request += usize::from(!is_done);
        }
        // Nobody replays it any more, and a process that knows nothing of it goes on with the row.
        own.app.expire();
        assert!(authenticate(&another, &own.table).await?.is_some(), "after {polls} polls");
        own.app.expire();
        if is_done {
            break;
        }
    }
    assert!(drops_after_the_request > 0);
    Ok(())
}

#[tokio::test]
async fn a_handler_that_is_dropped_between_refresh_and_write_loses_no_pair() -> Outcome {
    let own = Own::start().await?;
    let old = own.table.version();
    own.close();
    let (client, table) = (own.app.client.clone(), own.table.clone());
    let handler = tokio::spawn(async move { authenticate(&client, &table).await.map(|_| ()) });
    own.table.until_written(1).await;
    assert_eq!(own.app.authkit.refreshes(), 1);
    handler.abort();
    assert!(handler.await.unwrap_err().is_cancelled());
    assert_eq!(own.table.version(), old);
    own.open();
    own.table.until_not(old.as_ref()).await?;
    own.app.expire();
    assert!(authenticate(&own.app.another_client(), &own.table).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn of_two_processes_one_writes_and_the_other_reads_again() -> Outcome {
    let own = Own::start().await?;
    let another = own.app.another_client();
    let outcomes = tokio::join!(refresh(&own.app.client, &own.table), refresh(&another, &own.table));
    let (winner, other) = match outcomes {
        (Ok(winner), Err(other)) | (Err(other), Ok(winner)) => (winner, other),
        other => panic!("{other:?}"),
    };
    assert!(matches!(other, NotKept::Changed));
    assert_eq!(own.table.version(), Some(winner.version()));
    for client in [&own.app.client, &another] {
        assert!(authenticate(client, &own.table).await?.is_some());
        own.app.expire();
    }
    assert!(authenticate(&own.app.client, &own.table).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_late_refusal_removes_nothing_that_another_process_has_written() -> Outcome {
    let own = Own::start().await?;
    let another = own.app.another_client();
    let stale = own.table.open(&another).unwrap();
    let winner = refresh(&own.app.client, &own.table).await?;
    // WorkOS replays the refresh no longer, and refuses it.
    own.app.expire();
    assert!(matches!(own.table.keep(stale.refresh()).await, Err(NotKept::Changed)));
    assert_eq!(own.table.version(), Some(winner.version()));
    assert!(authenticate(&another, &own.table).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_session_that_has_ended_loses_its_row() -> Outcome {
    let own = Own::start().await?;
    let expired = own.expired().await;
    own.app.authkit.end_session(expired.session_id().as_str());
    let Err(NotKept::Ended(over)) = own.table.keep(expired.refresh()).await else { panic!("WorkOS refused it") };
    assert_reason(&over, SignedOutReason::Ended);
    assert_eq!(over.error().and_then(Error::code), Some(&ErrorCode::InvalidGrant));
    assert_eq!(own.table.version(), None);
    Ok(())
}

#[tokio::test]
async fn a_sign_out_in_between_is_not_undone() -> Outcome {
    // By this process, and by another one, which knows nothing of the refresh.
    for in_this_process in [true, false] {
        let own = Own::start().await?;
        own.close();
        let (client, table) = (own.app.client.clone(), own.table.clone());
        let under_way = tokio::spawn(async move { refresh(&client, &table).await });
        own.table.until_written(1).await;
        if in_this_process {
            let _ = own.expired().await.sign_out(None);
        }
        own.table.delete();
        own.open();
        assert!(matches!(under_way.await?, Err(NotKept::Changed)));
        assert_eq!(own.table.version(), None);
        assert!(authenticate(&own.app.client, &own.table).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn parallel_requests_send_one_refresh_and_write_once() -> Outcome {
    let own = Own::start().await?;
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let (client, table) = (own.app.client.clone(), own.table.clone());
        let session = table.open(&client).unwrap();
        tasks.spawn(async move { table.keep(session.refresh()).await.map(|session| session.version()) });
    }
    for version in tasks.join_all().await {
        assert_eq!(Some(version?), own.table.version());
    }
    assert_eq!(own.app.authkit.refreshes(), 1);
    assert_eq!(own.table.writes.load(Ordering::SeqCst), 1);
    Ok(())
}

/// What the callers get when the store fails: nothing against the session.
fn assert_store(result: Result<OpenedSession<Confidential>, NotKept>) {
    let Err(NotKept::Unavailable(error)) = result else { panic!("the store fails") };
    assert!(matches!(error.kind(), ErrorKind::Store) && error.is_transient(), "{error:?}");
    // The message of a panic may be a secret.
    assert!(!format!("{error:?}").contains("as the test says"));
}

#[tokio::test]
async fn a_write_that_fails_is_tried_again_and_goes_on_when_its_callers_have_their_answer() -> Outcome {
    let own = Own::start().await?;
    own.table.failures.store(2, Ordering::SeqCst);
    let kept = refresh(&own.app.client, &own.table).await?;
    assert_eq!((own.table.version(), own.table.writes.load(Ordering::SeqCst)), (Some(kept.version()), 3));

    own.app.expire();
    own.table.failures.store(5, Ordering::SeqCst);
    assert_store(refresh(&own.app.client, &own.table).await);
    let (requests, writes) = (own.app.requests(), own.table.writes.load(Ordering::SeqCst));
    // Others get the same answer at once, and write nothing of their own.
    for _ in 0..20 {
        assert_store(refresh(&own.app.client, &own.table).await);
    }
    assert_eq!((own.app.requests(), own.table.writes.load(Ordering::SeqCst)), (requests, writes));
    assert_eq!(own.table.version(), Some(kept.version()));
    // WorkOS replays the refresh no longer, and nobody asks.
    own.app.clock.advance(Duration::from_secs(60));
    own.table.until_not(Some(&kept.version())).await?;
    assert!(authenticate(&own.app.client, &own.table).await?.is_some());
    assert_eq!(own.app.requests(), requests);
    Ok(())
}

#[tokio::test]
async fn an_outage_of_the_store_that_outlasts_the_replay_signs_nobody_out() -> Outcome {
    let own = Own::start().await?;
    let (old, another) = (own.table.version(), own.app.another_client());
    own.table.failures.store(usize::MAX, Ordering::SeqCst);
    assert_store(refresh(&own.app.client, &own.table).await);
    own.app.clock.advance(Duration::from_secs(60));
    // Another process can read the row, but not write.
    for _ in 0..3 {
        let outcome = authenticate(&another, &own.table).await;
        assert!(matches!(outcome, Err(error) if matches!(error.kind(), ErrorKind::Store)));
    }
    assert_eq!(own.app.authkit.refreshes(), 1);
    own.table.failures.store(0, Ordering::SeqCst);
    own.table.until_not(old.as_ref()).await?;
    // Whatever the other process has still to write.
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert!(authenticate(&another, &own.table).await?.is_some());
    assert!(authenticate(&own.app.client, &own.table).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn who_is_refused_waits_for_the_process_that_has_the_new_pair() -> Outcome {
    let own = Own::start().await?;
    let (another, its_table) = (own.app.another_client(), own.table.of_another_process()?);
    own.table.failures.store(usize::MAX, Ordering::SeqCst);
    assert_store(refresh(&own.app.client, &own.table).await);
    own.app.clock.advance(Duration::from_secs(60));
    // The store is available again. The process that was refused is the first one to find out.
    let (client, table) = (another.clone(), its_table.clone());
    let refused = tokio::spawn(async move { authenticate(&client, &table).await.map(|session| session.is_some()) });
    its_table.until_written(1).await;
    own.table.failures.store(0, Ordering::SeqCst);
    assert!(refused.await??);
    assert!(authenticate(&own.app.client, &own.table).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_write_that_hangs_is_answered_in_5_seconds_and_made_later() -> Outcome {
    let own = Own::start().await?;
    let old = own.table.version();
    own.close();
    let (client, table) = (own.app.client.clone(), own.table.clone());
    let handler = tokio::spawn(async move { refresh(&client, &table).await });
    own.table.until_written(1).await;
    tokio::time::pause();
    let began = Instant::now();
    assert_store(handler.await?);
    assert!((4..=6).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    for _ in 0..20 {
        assert_store(refresh(&own.app.client, &own.table).await);
    }
    assert!(began.elapsed() <= Duration::from_secs(6));
    tokio::time::resume();
    assert_eq!(own.table.version(), old);
    own.app.clock.advance(Duration::from_secs(60));
    own.open();
    own.table.until_not(old.as_ref()).await?;
    assert!(authenticate(&own.app.client, &own.table).await?.is_some());
    assert_eq!(own.app.authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn a_write_that_panics_is_tried_again() -> Outcome {
    let own = Own::start().await?;
    own.table.panics.store(2, Ordering::SeqCst);
    let kept = refresh(&own.app.client, &own.table).await?;
    assert_eq!(own.table.version(), Some(kept.version()));

    own.app.expire();
    own.table.panics.store(4, Ordering::SeqCst);
    assert_store(refresh(&own.app.client, &own.table).await);
    own.app.clock.advance(Duration::from_secs(60));
    own.table.until_not(Some(&kept.version())).await?;
    assert!(authenticate(&own.app.client, &own.table).await?.is_some());
    assert_eq!(own.app.authkit.refreshes(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_write_that_blocks_its_thread_blocks_one_and_is_answered() -> Outcome {
    let own = Own::start().await?;
    let old = own.table.version();
    let (release, released) = mpsc::channel::<()>();
    let (released, blocked) = (Arc::new(Mutex::new(released)), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let (session, write) = (own.table.open(&own.app.client).unwrap(), own.table.writer());
        let (released, blocked) = (Arc::clone(&released), Arc::clone(&blocked));
        callers.spawn(session.refresh().keep(move |update| {
            blocked.fetch_add(1, Ordering::SeqCst);
            released.lock().unwrap().recv().unwrap_err();
            write(update)
        }));
    }
    for answer in timeout(Duration::from_secs(15), callers.join_all()).await? {
        assert_store(answer);
    }
    assert_eq!(blocked.load(Ordering::SeqCst), 1);
    drop(release);
    own.table.until_not(old.as_ref()).await?;
    assert!(authenticate(&own.app.client, &own.table).await?.is_some());
    assert_eq!(own.app.authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn a_sign_out_while_workos_is_asked_is_not_undone() -> Outcome {
    // By this process, and by another one, which knows nothing of the refresh.
    for in_this_process in [true, false] {
        let own = Own::start().await?;
        let requests = own.app.requests();
        own.app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(300)), 1);
        let (client, table) = (own.app.client.clone(), own.table.clone());
        let under_way = tokio::spawn(async move { refresh(&client, &table).await });
        while own.app.requests() == requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!((own.table.writes.load(Ordering::SeqCst), under_way.is_finished()), (0, false));
        if in_this_process {
            let _ = own.expired().await.sign_out(None);
        }
        own.table.delete();
        assert!(matches!(under_way.await?, Err(NotKept::Changed)));
        assert_eq!(own.table.version(), None);
        assert!(authenticate(&own.app.client, &own.table).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_was_signed_out_here_loses_its_row_at_the_next_request() -> Outcome {
    let own = Own::start().await?;
    let active = authenticate(&own.app.client, &own.table).await?.ok_or("signed out")?;
    // The application's own removal has failed.
    let _ = active.sign_out(None);
    assert!(own.table.version().is_some());
    let began = Instant::now();
    assert!(authenticate(&own.app.client, &own.table).await?.is_none());
    assert_eq!(own.table.version(), None);
    assert!(began.elapsed() < Duration::from_secs(1), "nobody else has a newer pair");
    Ok(())
}

#[tokio::test]
async fn a_pair_that_is_lost_on_its_way_comes_again_while_workos_replays_it() -> Outcome {
    let own = Own::start().await?;
    // The next attempt gets it.
    own.app.authkit.inject(AUTHENTICATE, Fault::LostAfter, 1);
    let kept = refresh(&own.app.client, &own.table).await?;
    assert_eq!((own.table.version(), own.app.authkit.refreshes()), (Some(kept.version()), 1));
    // The attempts take 25 seconds of its clock.
    for (seconds, is_signed_in) in [(2, true), (6, false)] {
        own.app.expire();
        let old = own.table.version();
        own.app.authkit.inject(AUTHENTICATE, Fault::LostAfter, usize::MAX);
        let outcome = refresh(&own.app.client, &own.table).await;
        assert!(matches!(outcome, Err(NotKept::Unavailable(error)) if error.is_transient()));
        assert_eq!(own.table.version(), old);
        own.app.authkit.heal();
        own.app.clock.advance(Duration::from_secs(seconds));
        assert_eq!(authenticate(&own.app.another_client(), &own.table).await?.is_some(), is_signed_in);
        assert_eq!(own.table.version().is_some(), is_signed_in);
    }
    assert_eq!(own.app.authkit.refreshes(), 3);
    Ok(())
}

#[tokio::test]
async fn new_tokens_that_cant_be_verified_cause_one_refresh() -> Outcome {
    let own = Own::start().await?;
    // This process's clock is ahead: every token has expired when it comes.
    own.app.authkit.set_skew(Skew::Behind(Duration::from_secs(400)));
    own.sign_in().await?;
    for _ in 0..20 {
        assert!(authenticate(&own.app.client, &own.table).await.is_err());
        own.app.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(own.app.authkit.refreshes(), 1);
    own.app.authkit.set_skew(Skew::NONE);
    own.app.expire();
    assert!(authenticate(&own.app.client, &own.table).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn an_outage_changes_no_row() -> Outcome {
    let own = Own::start().await?;
    let old = own.table.version();
    for fault in [Fault::Status(503, None), Fault::Status(429, None), Fault::LostBefore] {
        own.app.authkit.inject(AUTHENTICATE, fault, usize::MAX);
        let outcome = refresh(&own.app.client, &own.table).await;
        assert!(matches!(outcome, Err(NotKept::Unavailable(error)) if error.is_transient()), "{fault:?}");
        own.app.authkit.heal();
    }
    assert_eq!((own.table.version(), own.table.writes.load(Ordering::SeqCst)), (old, 0));
    assert!(authenticate(&own.app.client, &own.table).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn who_has_read_an_old_row_spends_no_token_of_the_new_one() -> Outcome {
    let (app, table) = grace().await?;
    // Read, and then delayed.
    let verifier = app.client.verifier();
    let stale = table.open(&app.client).unwrap().check(&verifier).await?;
    let newer = refresh(&app.client, &table).await?;
    assert_eq!(table.version(), Some(newer.version()));
    // It goes on with the newer token, and so it changes the newer row.
    let switched = table.keep(stale.switch_organization(OrganizationId::new("org_2")?)).await?;
    assert_eq!(table.version(), Some(switched.version()));
    app.expire();
    let active = authenticate(&app.another_client(), &table).await?.ok_or("signed out")?;
    assert_eq!(active.organization_id().map(OrganizationId::as_str), Some("org_2"));
    Ok(())
}

/// A user of two organizations, signed in to the first.
async fn grace() -> Outcome<(Application, Table)> {
    let app = Application::of([TestUser::new("grace@example.com").organization("org_1").organization("org_2")]).await?;
    let table = Table::new()?;
    table.put(&app.client.session(in_browser(&app.client, "grace@example.com").await?))?;
    Ok((app, table))
}

async fn organization(app: &Application, table: &Table) -> Outcome<Option<String>> {
    let active = authenticate(&app.client, table).await?.ok_or("signed out")?;
    Ok(active.organization_id().map(ToString::to_string))
}

#[tokio::test]
async fn a_request_that_has_read_an_old_row_does_not_undo_a_switch() -> Outcome {
    let (app, table) = grace().await?;
    app.expire();
    // It is delayed: its handler waits for a connection of the pool, say.
    let stale = table.open(&app.client).unwrap();
    let active = authenticate(&app.client, &table).await?.ok_or("signed out")?;
    assert_eq!(active.organization_id().map(OrganizationId::as_str), Some("org_1"));
    let _ = table.keep(active.switch_organization(OrganizationId::new("org_2")?)).await?;
    let late = stale.check_and_keep(&app.client.verifier(), table.writer()).await;
    assert!(matches!(late, Err(NotKept::Changed)), "it reads the row again: {late:?}");
    assert_eq!(organization(&app, &table).await?.as_deref(), Some("org_2"));
    Ok(())
}

#[tokio::test]
async fn a_switch_and_a_refresh_at_the_same_time_end_in_the_new_organization() -> Outcome {
    let (app, table) = grace().await?;
    let active = table.open(&app.client).unwrap().check(&app.client.verifier()).await?;
    let stale = table.open(&app.client).unwrap();
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(300)), 1);
    let refresh = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        table.keep(stale.refresh()).await
    };
    let switch = table.keep(active.switch_organization(OrganizationId::new("org_2")?));
    let (switched, refreshed) = tokio::join!(switch, refresh);
    // Both get the same pair, and whoever comes second finds it in the row.
    assert!(switched.is_ok() || refreshed.is_ok());
    for outcome in [switched, refreshed] {
        assert!(matches!(outcome, Ok(_) | Err(NotKept::Changed)), "{outcome:?}");
    }
    assert_eq!(organization(&app, &table).await?.as_deref(), Some("org_2"));
    Ok(())
}

#[tokio::test]
async fn a_switch_that_is_refused_keeps_the_row_and_says_why() -> Outcome {
    let (app, table) = grace().await?;
    let (before, active) = (table.version(), table.open(&app.client).unwrap().check(&app.client.verifier()).await?);
    let refused = table.keep(active.switch_organization(OrganizationId::new("org_of_others")?)).await;
    let Err(NotKept::Unavailable(error)) = refused else { panic!("{refused:?}") };
    assert_eq!((error.code(), error.is_transient()), (Some(&ErrorCode::OrganizationMembershipNotFound), false));
    assert_eq!(error.response().status(), 403);
    assert_eq!(table.version(), before);
    Ok(())
}

/// An application without `async` calls `block_on` for each request. In between, nobody drives the task that writes.
#[test]
fn a_runtime_that_rests_takes_no_session_from_the_others() -> Outcome {
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let own = server.block_on(Own::start())?;
    let client = own.app.another_client();
    own.app.expire();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (resting, other) = (runtime()?, runtime()?);
    own.table.failures.store(usize::MAX, Ordering::SeqCst);
    assert!(resting.block_on(authenticate(&client, &own.table)).is_err());
    own.table.failures.store(0, Ordering::SeqCst);
    let began = std::time::Instant::now();
    loop {
        match other.block_on(authenticate(&client, &own.table)) {
            Ok(active) => return active.map(drop).ok_or_else(|| "signed out".into()),
            Err(error) => {
                assert!(began.elapsed() < Duration::from_secs(15), "the store is good again, and yet: {error}");
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[tokio::test]
async fn a_version_is_that_of_the_pair_and_shows_nothing() -> Outcome {
    let own = Own::start().await?;
    let (one, other) = (own.table.open(&own.app.client).unwrap(), own.table.open(&own.app.another_client()).unwrap());
    assert_eq!(one.version(), other.version());
    let version = one.version().to_string();
    assert!(version.len() == 64 && version.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let newer = own.table.keep(one.refresh()).await?;
    assert_ne!(newer.version().as_str(), version);
    Ok(())
}
