//! Sessions in a table of the application: a refresh and its write are one task, whatever becomes of the request handler, of other
//! processes and of the user meanwhile.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use workos_auth::session::{NotActive, NotKept, Refresh, SessionUpdate, SessionVersion, SignedOutReason};
use workos_auth::testing::{Fault, TestUser};
use workos_auth::{
    ActiveSession, Confidential, ConfidentialClient, CookiePassword, Error, ErrorCode, ErrorKind, OpenedSession,
    OrganizationId, SessionCookie,
};

use crate::support::Outcome;
use crate::support::application::{AUTHENTICATE, Application};
use crate::support::login::{PASSWORD, in_browser};
use crate::support::session::assert_reason;

const ROW: &str = "row 1";

/// A table of an application, which all its processes use. A write takes a few steps, and fails when the test says so.
#[derive(Clone)]
struct Table {
    rows: Arc<Mutex<HashMap<&'static str, (SessionVersion, String)>>>,
    seal: SessionCookie,
    writes: Arc<AtomicUsize>,
    failures: Arc<AtomicUsize>,
    /// What a write waits for.
    gate: Arc<Semaphore>,
}

impl Table {
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

    async fn keep(&self, refresh: Refresh<Confidential>) -> Result<OpenedSession<Confidential>, NotKept> {
        let table = self.clone();
        refresh.keep(move |update| table.clone().write(update)).await
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
        let table = Table {
            rows: Arc::default(),
            seal: SessionCookie::new(CookiePassword::generate()?)?,
            writes: Arc::default(),
            failures: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        };
        let own = Self { app, table };
        own.sign_in().await?;
        Ok(own)
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
        let expired = match session.check(&client.verifier()).await {
            Ok(active) => return Ok(Some(active)),
            Err(NotActive::Expired(expired)) => expired,
            Err(NotActive::Ended(_)) => return Ok(None),
            Err(other) => return Err(other.into()),
        };
        match table.keep(expired.refresh()).await {
            Ok(_) | Err(NotKept::Changed) => {}
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
    let NotActive::Expired(expired) =
        own.table.open(&own.app.client).unwrap().check(&own.app.client.verifier()).await.unwrap_err()
    else {
        panic!("it has expired")
    };
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
            let session = own.table.open(&own.app.client).unwrap();
            let Err(NotActive::Expired(expired)) = session.check(&own.app.client.verifier()).await else {
                panic!("it has expired")
            };
            let _ = expired.sign_out(None);
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

#[tokio::test]
async fn a_write_that_fails_is_tried_again_and_then_the_next_request_writes() -> Outcome {
    let own = Own::start().await?;
    own.table.failures.store(2, Ordering::SeqCst);
    let kept = refresh(&own.app.client, &own.table).await?;
    assert_eq!((own.table.version(), own.table.writes.load(Ordering::SeqCst)), (Some(kept.version()), 3));

    own.app.expire();
    own.table.failures.store(3, Ordering::SeqCst);
    let Err(NotKept::Unavailable(error)) = refresh(&own.app.client, &own.table).await else {
        panic!("the disk is full")
    };
    assert!(matches!(error.kind(), ErrorKind::Store) && error.is_transient());
    assert_eq!(own.table.version(), Some(kept.version()));
    // WorkOS replays the refresh no longer. This process has its result.
    own.app.clock.advance(Duration::from_secs(60));
    let requests = own.app.requests();
    assert!(authenticate(&own.app.client, &own.table).await?.is_some());
    assert_ne!(own.table.version(), Some(kept.version()));
    assert_eq!(own.app.requests(), requests);
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
    let own = Own::start().await?;
    let app = Application::of([TestUser::new("grace@example.com").organization("org_1").organization("org_2")]).await?;
    own.table.put(&app.client.session(in_browser(&app.client, "grace@example.com").await?))?;
    // Read, and then delayed.
    let verifier = app.client.verifier();
    let stale = own.table.open(&app.client).unwrap().check(&verifier).await?;
    let newer = refresh(&app.client, &own.table).await?;
    assert_eq!(own.table.version(), Some(newer.version()));
    // It goes on with the newer token, and so it changes the newer row.
    let switched = own.table.keep(stale.switch_organization(OrganizationId::new("org_2")?)).await?;
    assert_eq!(own.table.version(), Some(switched.version()));
    app.expire();
    let active = authenticate(&app.another_client(), &own.table).await?.ok_or("signed out")?;
    assert_eq!(active.organization_id().map(OrganizationId::as_str), Some("org_2"));
    Ok(())
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
