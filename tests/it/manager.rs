//! Sessions in a store: one refresh for all who use it, and nobody comes back after a sign-out.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use workos_auth::error::SealError;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{
    MemorySessionStore, SessionIndex, SessionStore, SignedOutReason, StoredSession, SwitchError,
};
use workos_auth::testing::{Endpoint, Fault, Skew, TestUser, check_session_store};
use workos_auth::{
    AuthenticationResponse, ClientId, EmailAddress, Error, ErrorCode, ErrorKind, ExposeSecret, OrganizationId,
    Password, RedirectUri, SessionManager, SessionState, Step,
};

use crate::support::Outcome;
use crate::support::application::{AUTHENTICATE, Application, access_token};
use crate::support::login::PASSWORD;
use crate::support::session::{assert_reason, over};
use crate::support::sign_out;

async fn start() -> Outcome<Application> {
    let ada = TestUser::new("ada@example.com").password(PASSWORD).organization("org_one").organization("org_two");
    Application::of([ada, TestUser::new("bob@example.com").password(PASSWORD)]).await
}

fn manager_of<S: SessionStore>(app: &Application, store: S) -> SessionManager<S> {
    SessionManager::new(app.another_client(), store)
}

async fn login(app: &Application) -> Outcome<AuthenticationResponse> {
    app.login("bob@example.com").await
}

#[tokio::test]
async fn the_memory_store_keeps_every_rule() -> Outcome {
    Ok(check_session_store(Arc::new(MemorySessionStore::new())).await?)
}

#[cfg(feature = "redis")]
#[test]
fn a_store_in_redis_connects_when_it_is_asked_for_something() {
    let error = workos_auth::session::RedisSessionStore::from_url("http://:hunter2@example.com").unwrap_err();
    assert_eq!(error.to_string(), "redis_url isn't the address of a Redis server");
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    ReplacesAnyVersion,
    ForgetsTombstones,
    LocksWithoutLease,
    KeepsFirstIndex,
    FindsRemoved,
    IgnoresLimit,
}

/// A store with one thing wrong.
#[derive(Default)]
struct Broken {
    store: MemorySessionStore,
    wrong: Option<Wrong>,
    created: Mutex<HashMap<String, SessionIndex>>,
}

impl Broken {
    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == Some(wrong)
    }
}

impl SessionStore for Broken {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        let held = self.store.load(key).await?;
        Ok(held.filter(|held| !(self.is(Wrong::ForgetsTombstones) && *held == StoredSession::Ended)))
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        let created = self.store.create(key, sealed, index, lifetime).await?;
        if created {
            self.created.lock().unwrap().insert(key.to_owned(), index.clone());
        }
        Ok(created)
    }

    async fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> io::Result<bool> {
        let version = match self.store.load(key).await? {
            Some(StoredSession::Live { version, .. }) if self.is(Wrong::ReplacesAnyVersion) => version,
            _ => version,
        };
        let first = self.created.lock().unwrap().get(key).cloned();
        let index = first.filter(|_| self.is(Wrong::KeepsFirstIndex)).unwrap_or_else(|| index.clone());
        self.store.replace(key, version, sealed, &index, lifetime).await
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        let mut found = self.store.find(hash, if self.is(Wrong::IgnoresLimit) { usize::MAX } else { limit }).await?;
        if self.is(Wrong::FindsRemoved) && found.is_empty() {
            let created = self.created.lock().unwrap();
            let known = created.iter().filter(|(_, index)| [&index.user, &index.session].contains(&&hash.to_owned()));
            found.extend(known.map(|(key, _)| key.clone()).take(limit));
        }
        Ok(found)
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        self.store.remove(key, tombstone).await
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        let lease = if self.is(Wrong::LocksWithoutLease) { Duration::from_secs(86_400) } else { lease };
        self.store.lock(key, owner, lease).await
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        self.store.unlock(key, owner).await
    }
}

#[tokio::test]
async fn broken_stores_are_found_out() -> Outcome {
    let broken = [
        (Wrong::ReplacesAnyVersion, "only the version that is there is replaced"),
        (Wrong::ForgetsTombstones, "what was removed leaves a tombstone"),
        (Wrong::LocksWithoutLease, "a lock is free when its lease is over"),
        (Wrong::KeepsFirstIndex, "a replacement ends what a session was found by"),
        (Wrong::FindsRemoved, "a removal during a replacement leaves nothing to find"),
        (Wrong::IgnoresLimit, "no more are found than the limit says"),
    ];
    for (wrong, rule) in broken {
        let store = Broken { wrong: Some(wrong), ..Broken::default() };
        let fault = check_session_store(Arc::new(store)).await.expect_err(rule);
        assert_eq!(fault.rule(), rule);
        assert_eq!(fault.to_string(), format!("the store breaks a rule: {rule}"));
    }
    check_session_store(Arc::new(Broken::default())).await?;
    Ok(())
}

#[tokio::test]
async fn a_session_from_sign_in_to_sign_out() -> Outcome {
    let app = start().await?;
    let store = Arc::new(MemorySessionStore::new());
    let manager = manager_of(&app, Arc::clone(&store));
    let handle = manager.sign_in(login(&app).await?).await?;
    assert_eq!(handle.expose_secret().len(), 43, "256 bits in base64url");

    let SessionState::Active(session) = manager.authenticate(&handle).await else { panic!("signed in") };
    assert_eq!(session.user().email, "bob@example.com");
    assert_eq!(session.token().user_id(), &session.user().id);
    let session_id = session.token().session_id().clone();
    let before = app.requests();

    // Refreshed when the token has expired, and for good: another process gets the same.
    app.expire();
    let refreshed = access_token(manager.authenticate(&handle).await);
    assert_ne!(refreshed, session.access_token().expose_secret());
    assert_eq!(refreshed, access_token(manager_of(&app, Arc::clone(&store)).authenticate(&handle).await));
    assert_eq!(app.requests() - before, 1);

    let return_to = RedirectUri::new("https://example.com/")?;
    let logged_out = manager.sign_out(&handle, Some(&return_to)).await?.expect("a URL");
    let expected =
        format!("/user_management/sessions/logout?session_id={session_id}&return_to=https%3A%2F%2Fexample.com%2F");
    assert_eq!(logged_out.as_str(), format!("{}{expected}", app.authkit.base_url()));
    over(manager.authenticate(&handle).await, SignedOutReason::Removed);
    assert!(manager.sign_out(&handle, None).await?.is_none(), "signing out twice isn't an error");

    let nobody = SessionHandle::new("forged");
    over(manager.authenticate(&nobody).await, SignedOutReason::NotFound);
    let error = manager.authenticate(&nobody).await.active().expect_err("nobody");
    assert!(matches!(error.kind(), ErrorKind::SignedOut));
    Ok(())
}

/// Remembers what it was shown.
#[derive(Default)]
struct Nosy {
    store: MemorySessionStore,
    seen: Mutex<Vec<(String, String)>>,
}

impl SessionStore for Nosy {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        self.store.load(key).await
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        self.seen.lock().unwrap().push((key.to_owned(), sealed.to_owned()));
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
        self.seen.lock().unwrap().push((key.to_owned(), sealed.to_owned()));
        self.store.replace(key, version, sealed, index, lifetime).await
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        self.store.find(hash, limit).await
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        self.store.remove(key, tombstone).await
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        self.store.lock(key, owner, lease).await
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        self.store.unlock(key, owner).await
    }
}

#[tokio::test]
async fn a_store_that_leaks_gives_nothing_away() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Nosy::default());
    let manager = manager_of(&app, Arc::clone(&store));
    let mut handles = Vec::new();
    for _ in 0..2 {
        let response = login(&app).await?;
        let secrets =
            [response.access_token.expose_secret().to_owned(), response.refresh_token.expose_secret().to_owned()];
        let handle = manager.sign_in(response).await?;
        let seen = format!("{:?}", store.seen.lock().unwrap());
        for secret in secrets.iter().map(String::as_str).chain([handle.expose_secret(), "bob@example.com", "user_"]) {
            assert!(!seen.contains(secret), "{secret} is in {seen}");
        }
        handles.push(handle);
    }
    assert_ne!(handles[0].expose_secret(), handles[1].expose_secret(), "each sign-in has a handle of its own");

    // A writer of the store can't put one user's session under another's handle.
    let (other_key, other_value) = store.seen.lock().unwrap()[1].clone();
    let (key, _) = store.seen.lock().unwrap()[0].clone();
    assert_ne!(key, other_key);
    let index = SessionIndex::new("0".repeat(64), "1".repeat(64));
    assert!(store.replace(&key, 1, &other_value, &index, Duration::from_secs(60)).await?);
    let state = manager.authenticate(&handles[0]).await;
    over(state.clone(), SignedOutReason::Unreadable);
    assert!(!format!("{state:?} {manager:?} {handles:?}").contains(handles[0].expose_secret()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_of_four_processes_cause_one_refresh() -> Outcome {
    let app = start().await?;
    let store = Arc::new(MemorySessionStore::new());
    let handle = manager_of(&app, Arc::clone(&store)).sign_in(login(&app).await?).await?;
    app.expire();
    let before = app.requests();
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let manager = manager_of(&app, Arc::clone(&store));
        for _ in 0..250 {
            let (manager, handle) = (manager.clone(), SessionHandle::new(handle.expose_secret()));
            tasks.spawn(async move { access_token(manager.authenticate(&handle).await) });
        }
    }
    let tokens = tasks.join_all().await;
    assert_eq!(tokens.len(), 1_000);
    assert!(tokens.iter().all(|token| *token == tokens[0]), "all have the same token");
    assert_eq!(app.requests() - before, 1);
    Ok(())
}

#[tokio::test]
async fn a_token_is_replaced_ahead_of_its_expiry() -> Outcome {
    let app = start().await?;
    let manager = manager_of(&app, MemorySessionStore::new());
    let handle = manager.sign_in(login(&app).await?).await?;
    let before = app.requests();
    app.clock.advance(Duration::from_secs(269));
    let first = access_token(manager.authenticate(&handle).await);
    assert_eq!(app.requests() - before, 0, "31 seconds are left");

    // With 29 seconds left, an outage is nobody's business.
    app.clock.advance(Duration::from_secs(2));
    app.authkit.inject_for(AUTHENTICATE, Fault::Status(503, None), Duration::from_secs(3600));
    assert_eq!(access_token(manager.authenticate(&handle).await), first);
    app.authkit.heal();
    assert_ne!(access_token(manager.authenticate(&handle).await), first);
    Ok(())
}

#[tokio::test]
async fn a_slow_refresh_ahead_of_expiry_holds_nobody_up() -> Outcome {
    let app = start().await?;
    let manager = manager_of(&app, MemorySessionStore::new());
    let handle = manager.sign_in(login(&app).await?).await?;
    let first = access_token(manager.authenticate(&handle).await);
    app.clock.advance(Duration::from_secs(271));
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_secs(3)), 1);
    assert_eq!(access_token(manager.authenticate(&handle).await), first);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_ne!(access_token(manager.authenticate(&handle).await), first, "it went on meanwhile");
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn an_outage_signs_nobody_out() -> Outcome {
    let app = start().await?;
    let manager = manager_of(&app, MemorySessionStore::new());
    let handle = manager.sign_in(login(&app).await?).await?;
    app.expire();
    for fault in [
        Fault::Status(500, None),
        Fault::Status(429, None),
        Fault::Status(401, None),
        Fault::LostBefore,
        Fault::Truncated,
    ] {
        app.authkit.inject_for(AUTHENTICATE, fault, Duration::from_secs(3600));
        let state = manager.authenticate(&handle).await;
        assert!(matches!(state, SessionState::TemporarilyUnknown(_)), "{fault:?}: {state:?}");
        app.authkit.heal();
    }
    access_token(manager.authenticate(&handle).await);

    // The keys are unavailable.
    let manager = manager_of(&app, MemorySessionStore::new());
    let handle = manager.sign_in(login(&app).await?).await?;
    app.authkit.inject_for(Endpoint::Jwks, Fault::Status(500, None), Duration::from_secs(3600));
    let SessionState::TemporarilyUnknown(error) = manager.authenticate(&handle).await else { panic!("unknown") };
    assert!(matches!(error.kind(), ErrorKind::KeysUnavailable), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_renewal_goes_on_until_its_replay_window_closes() -> Outcome {
    for fault in [Fault::LostAfter, Fault::Status(520, None), Fault::Status(503, Some(60))] {
        let app = start().await?;
        let manager = manager_of(&app, MemorySessionStore::new());
        let handle = manager.sign_in(login(&app).await?).await?;
        app.expire();
        app.authkit.inject_for(AUTHENTICATE, fault, Duration::from_secs(24));
        access_token(manager.authenticate(&handle).await);
        assert_eq!(app.authkit.refreshes(), 1, "{fault:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_stored_session_opens_for_its_client_id_and_base_url_alone() -> Outcome {
    let (app, other) = (start().await?, start().await?);
    let store = Arc::new(MemorySessionStore::new());
    let handle = manager_of(&app, Arc::clone(&store)).sign_in(login(&app).await?).await?;
    let renamed = app.another_client().with_client_id(ClientId::new("client_other")?);
    for client in [renamed, other.another_client()] {
        let state = SessionManager::new(client, Arc::clone(&store)).authenticate(&handle).await;
        let error = Error::from(over(state, SignedOutReason::Unreadable));
        assert!(matches!(error.kind(), ErrorKind::Sealed(SealError::BadMac)), "{error}");
    }
    access_token(manager_of(&app, store).authenticate(&handle).await);
    Ok(())
}

#[tokio::test]
async fn what_workos_ended_is_signed_out_everywhere() -> Outcome {
    let app = start().await?;
    let store = Arc::new(MemorySessionStore::new());
    let (here, there) = (manager_of(&app, Arc::clone(&store)), manager_of(&app, Arc::clone(&store)));
    let handle = here.sign_in(login(&app).await?).await?;
    let session = here.authenticate(&handle).await.active()?;
    app.authkit.end_session(session.token().session_id().as_str());
    // Its access token is good until it expires.
    access_token(there.authenticate(&handle).await);
    app.expire();
    let error = Error::from(over(here.authenticate(&handle).await, SignedOutReason::Ended));
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    over(there.authenticate(&handle).await, SignedOutReason::Removed);
    Ok(())
}

#[tokio::test]
async fn a_session_goes_to_another_organization() -> Outcome {
    let app = start().await?;
    let store = Arc::new(MemorySessionStore::new());
    let manager = manager_of(&app, Arc::clone(&store));
    let email = EmailAddress::new("ada@example.com")?;
    let outcome = app.client.authenticate_with_password(email, Password::new(PASSWORD)).send().await;
    let Step::OrganizationSelection(step) = outcome.unwrap_err().step()? else { panic!("it needs another step") };
    let response = step.select(&OrganizationId::new("org_one")?)?.send().await?;
    let handle = manager.sign_in(response).await?;

    let two = OrganizationId::new("org_two")?;
    let session = manager.switch_organization(&handle, two.clone()).await?;
    assert_eq!(session.token().organization_id(), Some(&two));
    let other = manager_of(&app, Arc::clone(&store)).authenticate(&handle).await.active()?;
    assert_eq!(other.token().organization_id(), Some(&two), "the store has it");

    let refused = manager.switch_organization(&handle, OrganizationId::new("org_three")?).await;
    let Err(SwitchError::Kept(error)) = refused else { panic!("{refused:?}") };
    assert!(!error.is_transient(), "{error}");
    assert_eq!(manager.authenticate(&handle).await.active()?.organization_id(), Some(&two));

    manager.sign_out(&handle, None).await?;
    let gone = manager.switch_organization(&handle, two).await;
    let Err(SwitchError::SignedOut(gone)) = gone else { panic!("{gone:?}") };
    assert_reason(&gone, SignedOutReason::Removed);
    Ok(())
}

#[tokio::test]
async fn a_lock_of_a_dead_process_is_waited_out() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Nosy::default());
    let manager = manager_of(&app, Arc::clone(&store));
    let handle = manager.sign_in(login(&app).await?).await?;
    app.expire();
    let (key, _) = store.seen.lock().unwrap()[0].clone();
    assert!(store.lock(&key, "of a dead process", Duration::from_millis(300)).await?);
    access_token(manager.authenticate(&handle).await);
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

/// Refuses to work when it is told to.
#[derive(Default)]
struct Flaky {
    store: Arc<MemorySessionStore>,
    down: AtomicBool,
    /// Down from the next write on.
    falling: AtomicBool,
    /// Every lease is over at once.
    forgets_locks: AtomicBool,
}

impl Flaky {
    fn up(&self) -> io::Result<()> {
        if self.down.load(Ordering::SeqCst) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl SessionStore for Flaky {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        self.up()?;
        self.store.load(key).await
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        self.up()?;
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
        if self.falling.swap(false, Ordering::SeqCst) {
            self.down.store(true, Ordering::SeqCst);
        }
        self.up()?;
        self.store.replace(key, version, sealed, index, lifetime).await
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        self.up()?;
        self.store.find(hash, limit).await
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        self.up()?;
        self.store.remove(key, tombstone).await
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        self.up()?;
        if self.forgets_locks.load(Ordering::SeqCst) {
            return Ok(true);
        }
        self.store.lock(key, owner, lease).await
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        self.up()?;
        self.store.unlock(key, owner).await
    }
}

#[tokio::test]
async fn a_refusal_is_not_believed_while_another_process_has_the_new_pair() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Flaky::default());
    store.forgets_locks.store(true, Ordering::SeqCst);
    let (slow, fast) = (manager_of(&app, Arc::clone(&store)), manager_of(&app, Arc::clone(&store)));
    let handle = slow.sign_in(login(&app).await?).await?;
    app.expire();
    store.falling.store(true, Ordering::SeqCst);
    assert!(matches!(slow.authenticate(&handle).await, SessionState::TemporarilyUnknown(_)));
    // The store is back, its locks are over, and so is the time in which WorkOS replays the old token.
    app.clock.advance(Duration::from_secs(60));
    store.down.store(false, Ordering::SeqCst);
    let requests = app.requests();
    let token = access_token(fast.authenticate(&handle).await);
    assert_eq!(app.requests() - requests, 1, "it was refused, and looked again");
    assert_eq!(token, access_token(known(&slow, &handle).await));
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

/// Tries again for as long as nobody can tell.
async fn known<S: SessionStore>(manager: &SessionManager<S>, handle: &SessionHandle) -> SessionState {
    loop {
        match manager.authenticate(handle).await {
            SessionState::TemporarilyUnknown(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            state => return state,
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_loses_no_session() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Flaky::default());
    let manager = manager_of(&app, Arc::clone(&store));
    let handle = manager.sign_in(login(&app).await?).await?;

    store.down.store(true, Ordering::SeqCst);
    let SessionState::TemporarilyUnknown(error) = manager.authenticate(&handle).await else { panic!("unknown") };
    assert!(matches!(error.kind(), ErrorKind::Store) && error.is_transient());
    assert!(manager.sign_out(&handle, None).await.is_err_and(|error| error.is_transient()));
    let rejected = manager.sign_in(login(&app).await?).await.unwrap_err();
    assert!(matches!(rejected.error().kind(), ErrorKind::Store));
    let parts = rejected.recover()?;
    store.down.store(false, Ordering::SeqCst);
    manager.sign_in(parts).await?;

    // It goes away while only the process has the new pair. That is longer than WorkOS replays the old one.
    app.expire();
    store.falling.store(true, Ordering::SeqCst);
    let state = manager.authenticate(&handle).await;
    assert!(matches!(state, SessionState::TemporarilyUnknown(_)), "{state:?}");
    app.clock.advance(Duration::from_secs(60));
    store.down.store(false, Ordering::SeqCst);
    let mine = known(&manager, &handle).await;
    let others = known(&manager_of(&app, Arc::clone(&store)), &handle).await;
    assert_eq!(access_token(mine), access_token(others));
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn a_sign_out_during_a_refresh_stays_signed_out() -> Outcome {
    let app = start().await?;
    let processes = [app.another_client(), app.another_client()];
    sign_out::interleave(&processes, Arc::new(MemorySessionStore::new()), async || {
        let response = login(&app).await?;
        app.expire();
        Ok(response)
    })
    .await
}

/// Counts what it is asked, and is as slow or as forgetful as it is told.
#[derive(Default)]
struct Observed {
    store: MemorySessionStore,
    calls: AtomicUsize,
    /// The next reply to a lock is lost.
    loses_lock: AtomicBool,
    slow_removal: Duration,
}

impl Observed {
    fn count(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
    }
}

impl SessionStore for Observed {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        self.count();
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
        self.count();
        self.store.replace(key, version, sealed, index, lifetime).await
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        self.store.find(hash, limit).await
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        tokio::time::sleep(self.slow_removal).await;
        self.store.remove(key, tombstone).await
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        self.count();
        let locked = self.store.lock(key, owner, lease).await;
        if self.loses_lock.swap(false, Ordering::SeqCst) { Err(io::ErrorKind::TimedOut.into()) } else { locked }
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        self.count();
        self.store.unlock(key, owner).await
    }
}

async fn in_an_organization(app: &Application) -> Outcome<AuthenticationResponse> {
    let email = EmailAddress::new("ada@example.com")?;
    let outcome = app.client.authenticate_with_password(email, Password::new(PASSWORD)).send().await;
    let Step::OrganizationSelection(step) = outcome.unwrap_err().step()? else { panic!("it needs another step") };
    Ok(step.select(&OrganizationId::new("org_one")?)?.send().await?)
}

#[tokio::test]
async fn a_session_that_is_about_to_be_removed_is_removed_for_others() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Observed { slow_removal: Duration::from_secs(2), ..Observed::default() });
    let (here, there) = (manager_of(&app, Arc::clone(&store)), manager_of(&app, store));
    let handle = here.sign_in(login(&app).await?).await?;
    let session = here.authenticate(&handle).await.active()?;
    app.authkit.end_session(session.token().session_id().as_str());
    app.expire();
    let there = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        there.authenticate(&handle).await
    };
    let (here, there) = tokio::join!(here.authenticate(&handle), there);
    over(here, SignedOutReason::Ended);
    over(there, SignedOutReason::Removed);
    Ok(())
}

#[tokio::test]
async fn switches_at_once_are_one_for_each_organization() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Observed::default());
    let manager = manager_of(&app, Arc::clone(&store));
    let handle = manager.sign_in(in_an_organization(&app).await?).await?;
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let (manager, handle) = (manager.clone(), SessionHandle::new(handle.expose_secret()));
        tasks.spawn(async move { manager.switch_organization(&handle, OrganizationId::new("org_two").unwrap()).await });
    }
    for switched in tasks.join_all().await {
        assert_eq!(switched?.organization_id().map(OrganizationId::as_str), Some("org_two"));
    }
    let calls = store.calls.load(Ordering::SeqCst);
    assert!(app.authkit.refreshes() == 1 && calls < 20, "{calls} calls");

    // Each organization has its turn, and only one at a time asks the store.
    let mut tasks = JoinSet::new();
    for task in 0..20 {
        let (manager, handle) = (manager.clone(), SessionHandle::new(handle.expose_secret()));
        let id = OrganizationId::new(["org_one", "org_two"][task % 2])?;
        tasks.spawn(async move { manager.switch_organization(&handle, id).await });
    }
    for switched in tasks.join_all().await {
        switched?;
    }
    let calls = store.calls.load(Ordering::SeqCst) - calls;
    assert!(app.authkit.refreshes() <= 5 && calls < 60, "{calls} calls, {} refreshes", app.authkit.refreshes());
    Ok(())
}

#[tokio::test]
async fn who_waits_for_another_process_looks_less_and_less_often() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Observed::default());
    let manager = manager_of(&app, Arc::clone(&store));
    let handle = manager.sign_in(login(&app).await?).await?;
    app.expire();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(handle.expose_secret());
    let key = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert!(store.store.lock(&key, "of a dead process", Duration::from_secs(3)).await?);
    access_token(manager.authenticate(&handle).await);
    let calls = store.calls.load(Ordering::SeqCst);
    assert!((4..60).contains(&calls), "{calls} calls in 3 s");
    Ok(())
}

#[tokio::test]
async fn a_sign_out_goes_on_when_its_caller_is_gone() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Observed { slow_removal: Duration::from_millis(300), ..Observed::default() });
    let manager = manager_of(&app, store);
    let handle = manager.sign_in(login(&app).await?).await?;
    let hung_up = tokio::time::timeout(Duration::from_millis(50), manager.sign_out(&handle, None)).await;
    assert!(hung_up.is_err());
    tokio::time::sleep(Duration::from_millis(600)).await;
    over(manager.authenticate(&handle).await, SignedOutReason::Removed);
    Ok(())
}

#[tokio::test]
async fn a_sign_out_does_not_wait_for_keys() -> Outcome {
    let app = start().await?;
    let store = Arc::new(MemorySessionStore::new());
    let manager = manager_of(&app, Arc::clone(&store));
    let handle = manager.sign_in(login(&app).await?).await?;
    app.authkit.inject_for(Endpoint::Jwks, Fault::Stall, Duration::from_secs(3600));
    let started = Instant::now();
    // Its ID needs no keys: the token came out of our own seal. Without the URL, the session would go on at WorkOS.
    let url = manager.sign_out(&handle, None).await?.ok_or("no URL")?;
    assert!(url.as_str().contains("/logout?session_id=session_"), "{url}");
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert_eq!(app.authkit.requests_to(Endpoint::Jwks), 0);
    over(manager.authenticate(&handle).await, SignedOutReason::Removed);
    Ok(())
}

#[tokio::test]
async fn another_verifier_shares_no_renewal() -> Outcome {
    let app = start().await?;
    let client = app.another_client();
    let lax = SessionManager::new(client.clone(), MemorySessionStore::new());
    // No access token lives that long.
    let strict = lax.clone().verifier(client.verifier().min_ttl(Duration::from_secs(400)));
    let handle = lax.sign_in(login(&app).await?).await?;
    app.expire();
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(300)), 1);
    let (state, refused) = tokio::join!(lax.authenticate(&handle), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        strict.authenticate(&handle).await
    });
    access_token(state);
    assert!(matches!(refused, SessionState::TemporarilyUnknown(_)), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_lost_reply_to_a_lock_is_settled_at_once() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Observed::default());
    let manager = manager_of(&app, Arc::clone(&store));
    let handle = manager.sign_in(login(&app).await?).await?;
    app.expire();
    store.loses_lock.store(true, Ordering::SeqCst);
    let started = Instant::now();
    access_token(manager.authenticate(&handle).await);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

/// Falls back to its first version instead of a write, when it is told to.
#[derive(Default)]
struct Rewinding {
    versions: Mutex<Vec<String>>,
    falls_back: AtomicBool,
}

impl SessionStore for Rewinding {
    async fn load(&self, _: &str) -> io::Result<Option<StoredSession>> {
        let versions = self.versions.lock().unwrap();
        let live = |sealed: &String| StoredSession::Live { version: versions.len() as u64, sealed: sealed.clone() };
        Ok(versions.last().map(live))
    }

    async fn create(&self, _: &str, sealed: &str, _: &SessionIndex, _: Duration) -> io::Result<bool> {
        self.versions.lock().unwrap().push(sealed.to_owned());
        Ok(true)
    }

    async fn replace(&self, _: &str, version: u64, sealed: &str, _: &SessionIndex, _: Duration) -> io::Result<bool> {
        let mut versions = self.versions.lock().unwrap();
        if self.falls_back.swap(false, Ordering::SeqCst) {
            versions.truncate(1);
        }
        let same = versions.len() as u64 == version;
        if same {
            versions.push(sealed.to_owned());
        }
        Ok(same)
    }

    async fn find(&self, _: &str, _: usize) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &str, _: Duration) -> io::Result<()> {
        self.versions.lock().unwrap().clear();
        Ok(())
    }

    async fn lock(&self, _: &str, _: &str, _: Duration) -> io::Result<bool> {
        Ok(true)
    }

    async fn unlock(&self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_store_that_fell_back_costs_no_pair_in_hand() -> Outcome {
    let app = start().await?;
    let store = Arc::new(Rewinding::default());
    let manager = manager_of(&app, Arc::clone(&store));
    let handle = manager.sign_in(login(&app).await?).await?;
    for round in 1..=2 {
        app.expire();
        store.falls_back.store(round == 2, Ordering::SeqCst);
        access_token(manager.authenticate(&handle).await);
    }
    // Another process, when WorkOS replays nothing any more.
    app.expire();
    access_token(manager_of(&app, store).authenticate(&handle).await);
    Ok(())
}

#[tokio::test]
async fn a_session_is_not_buried_while_another_process_may_have_its_pair() -> Outcome {
    let app = start().await?;
    let memory = Arc::new(MemorySessionStore::new());
    let cut_off = Arc::new(Flaky { store: Arc::clone(&memory), ..Flaky::default() });
    let slow = manager_of(&app, Arc::clone(&cut_off));
    let fast = manager_of(&app, Arc::new(Flaky { store: memory, ..Flaky::default() }));
    let handle = slow.sign_in(login(&app).await?).await?;
    app.expire();
    cut_off.falling.store(true, Ordering::SeqCst);
    assert!(matches!(slow.authenticate(&handle).await, SessionState::TemporarilyUnknown(_)));
    // WorkOS replays the old token no more, and the lease is over.
    app.clock.advance(Duration::from_secs(60));
    let away = Instant::now();
    while away.elapsed() < Duration::from_secs(14) {
        let state = fast.authenticate(&handle).await;
        assert!(matches!(state, SessionState::TemporarilyUnknown(_)), "{state:?} after {:?}", away.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cut_off.down.store(false, Ordering::SeqCst);
    assert_eq!(access_token(known(&fast, &handle).await), access_token(known(&slow, &handle).await));
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn an_answer_comes_in_time_and_the_work_goes_on() -> Outcome {
    let app = start().await?;
    let manager = manager_of(&app, MemorySessionStore::new()).answer_within(Duration::from_millis(200));
    let handle = manager.sign_in(login(&app).await?).await?;
    app.expire();
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(800)), 1);
    for _ in 0..2 {
        let started = Instant::now();
        let SessionState::TemporarilyUnknown(error) = manager.authenticate(&handle).await else { panic!("unknown") };
        assert!(matches!(error.kind(), ErrorKind::Timeout) && error.is_transient());
        assert!(started.elapsed() < Duration::from_millis(350), "{:?}", started.elapsed());
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    access_token(manager.authenticate(&handle).await);
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_ahead_causes_one_rotation_per_token_life() -> Outcome {
    let app = start().await?;
    let manager = manager_of(&app, MemorySessionStore::new());
    app.authkit.set_skew(Skew::Behind(Duration::from_secs(400)));
    let handle = manager.sign_in(login(&app).await?).await?;
    for _ in 0..20 {
        app.clock.advance(Duration::from_secs(10));
        let state = manager.authenticate(&handle).await;
        assert!(matches!(&state, SessionState::TemporarilyUnknown(_)), "{state:?}");
    }
    assert_eq!(app.authkit.refreshes(), 1);
    app.authkit.set_skew(Skew::NONE);
    app.clock.advance(Duration::from_secs(120));
    access_token(manager.authenticate(&handle).await);
    Ok(())
}
