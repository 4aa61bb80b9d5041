//! The example on a database file that two processes share: each `Sessions` has a client and connections of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use own_sessions::{Result, Sessions};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use workos_auth::secret::SessionHandle;
use workos_auth::testing::{AuthKit, Browser, Endpoint, Fault};
use workos_auth::{Callback, CookiePassword, ExposeSecret, RedirectUri, SessionCookie};

struct Application {
    authkit: AuthKit,
    seal: SessionCookie,
    file: std::path::PathBuf,
}

impl Application {
    async fn start(name: &str) -> Result<Self> {
        let authkit = AuthKit::start().await?;
        let file = std::env::temp_dir().join(format!("own-sessions-{name}-{}.db", std::process::id()));
        Ok(Self { authkit, seal: SessionCookie::new(CookiePassword::generate()?)?, file })
    }

    async fn process(&self) -> Result<Sessions> {
        let client = self.authkit.confidential_client();
        let file = SqliteConnectOptions::new().filename(&self.file).create_if_missing(true);
        let rows = SqlitePool::connect_with(file.journal_mode(SqliteJournalMode::Wal)).await?;
        Sessions::new(client, self.seal.clone(), rows).await
    }

    async fn sign_in(&self, sessions: &Sessions) -> Result<SessionHandle> {
        self.sign_in_after(None, sessions).await
    }

    async fn sign_in_after(&self, old: Option<&SessionHandle>, sessions: &Sessions) -> Result<SessionHandle> {
        let redirect = RedirectUri::new("http://127.0.0.1:8080/callback")?;
        let login = sessions.client.authorize(redirect).authkit().begin()?;
        let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
        sessions.sign_in(old, login.exchange(Callback::from_url(&callback)?)?.send().await?).await
    }

    /// How many requests for tokens have come to WorkOS.
    fn requests(&self) -> usize {
        self.authkit.requests_to(Endpoint::Authenticate)
    }

    /// Lets WorkOS take its time with each refresh.
    fn slow_down(&self, milliseconds: u64) {
        self.authkit.inject(Endpoint::Authenticate, Fault::Slow(Duration::from_millis(milliseconds)), usize::MAX);
    }

    /// Lets the access tokens expire, and WorkOS's replays of refreshes.
    fn expire(&self) {
        self.authkit.advance(Duration::from_secs(301));
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{end}", self.file.display())));
        }
    }
}

async fn column(sessions: &Sessions, column: &str) -> Result<Vec<String>> {
    let query = format!("SELECT {column} FROM sessions");
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&sessions.rows).await?)
}

#[tokio::test]
async fn a_session_lives_from_sign_in_to_sign_out() -> Result<()> {
    let app = Application::start("life").await?;
    let sessions = app.process().await?;
    let handle = app.sign_in(&sessions).await?;
    let session = sessions.authenticate(&handle).await?.ok_or("signed out")?;
    assert_eq!(session.user().email, "ada@example.com");
    app.expire();
    assert!(sessions.authenticate(&handle).await?.is_some());
    assert_eq!(app.authkit.refreshes(), 1);
    // Neither the cookie's value nor a token is in the table.
    let row = format!("{:?}{:?}", column(&sessions, "key").await?, column(&sessions, "sealed").await?);
    assert!(!row.contains(handle.expose_secret()) && !row.contains("ada@example.com") && row.contains("Fe26.2"));

    let url = sessions.sign_out(&handle).await?.ok_or("signed out")?;
    assert!(url.contains("/user_management/sessions/logout?session_id="));
    assert!(sessions.authenticate(&handle).await?.is_none());
    assert!(sessions.sign_out(&handle).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn parallel_requests_of_two_processes_share_the_session() -> Result<()> {
    let app = Application::start("parallel").await?;
    let processes = [app.process().await?, app.process().await?];
    let handle = app.sign_in(&processes[0]).await?;
    app.slow_down(300);
    for _ in 0..3 {
        app.expire();
        let requests_before = app.requests();
        // All of them have begun before WorkOS answers one.
        let (start, finished) = (Arc::new(Barrier::new(40)), Arc::new(AtomicUsize::new(0)));
        let mut requests = JoinSet::new();
        for request in 0..40 {
            let (sessions, handle) = (processes[request % 2].clone(), SessionHandle::new(handle.expose_secret()));
            let (start, finished) = (start.clone(), finished.clone());
            requests.spawn(async move {
                start.wait().await;
                let others_finished = finished.load(Ordering::SeqCst);
                let session = sessions.authenticate(&handle).await;
                finished.fetch_add(1, Ordering::SeqCst);
                session.map(|session| (session.is_some(), others_finished))
            });
        }
        for outcome in requests.join_all().await {
            assert_eq!(outcome?, (true, 0));
        }
        // Each process found the expired token, before the other one had written.
        assert_eq!(app.requests() - requests_before, 2);
    }
    // The other process got WorkOS's replay.
    assert_eq!(app.authkit.refreshes(), 3);
    Ok(())
}

#[tokio::test]
async fn requests_that_are_dropped_lose_no_session() -> Result<()> {
    let app = Application::start("dropped").await?;
    let (sessions, another) = (app.process().await?, app.process().await?);
    let handle = app.sign_in(&sessions).await?;
    app.slow_down(20);
    let mut dropped_in_a_refresh = 0;
    for milliseconds in (0..60).step_by(2) {
        app.expire();
        let requests = app.requests();
        let request = sessions.authenticate(&handle);
        let is_dropped = tokio::time::timeout(Duration::from_millis(milliseconds), request).await.is_err();
        dropped_in_a_refresh += usize::from(is_dropped && app.requests() > requests);
        // What has begun goes on; then only the row counts, since WorkOS replays nothing.
        tokio::time::sleep(Duration::from_millis(100)).await;
        app.expire();
        assert!(another.authenticate(&handle).await?.is_some(), "dropped after {milliseconds} ms");
    }
    assert!(dropped_in_a_refresh > 0);
    Ok(())
}

#[tokio::test]
async fn a_sign_out_during_a_refresh_is_not_undone() -> Result<()> {
    let app = Application::start("sign-out").await?;
    let (sessions, another) = (app.process().await?, app.process().await?);
    for signs_out in [&sessions, &another] {
        let handle = app.sign_in(&sessions).await?;
        app.expire();
        app.slow_down(300);
        let requests = app.requests();
        let (refreshing, its_handle) = (sessions.clone(), SessionHandle::new(handle.expose_secret()));
        let request = tokio::spawn(async move { refreshing.authenticate(&its_handle).await.map(|it| it.is_some()) });
        while app.requests() == requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(signs_out.sign_out(&handle).await?.is_some());
        assert!(!request.is_finished());
        assert!(!request.await??);
        app.authkit.heal();
        assert_eq!(column(&sessions, "key").await?, Vec::<String>::new());
        assert!(sessions.authenticate(&handle).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn a_login_removes_the_session_that_the_browser_had() -> Result<()> {
    let app = Application::start("again").await?;
    let sessions = app.process().await?;
    let old = app.sign_in(&sessions).await?;
    let new = app.sign_in_after(Some(&old), &sessions).await?;
    assert!(sessions.authenticate(&old).await?.is_none());
    assert!(sessions.authenticate(&new).await?.is_some());
    assert_eq!(column(&sessions, "key").await?, [new.key()]);
    Ok(())
}

#[tokio::test]
async fn a_row_that_cant_be_opened_is_no_session() -> Result<()> {
    let app = Application::start("unreadable").await?;
    let sessions = app.process().await?;
    let (one, other) = (app.sign_in(&sessions).await?, app.sign_in(&sessions).await?);
    let seal = SessionCookie::new(CookiePassword::generate()?)?;
    let another_password = Sessions::new(app.authkit.confidential_client(), seal, sessions.rows.clone()).await?;
    assert!(another_password.authenticate(&one).await?.is_none());
    assert_eq!(column(&sessions, "key").await?, [other.key()]);
    assert!(another_password.sign_out(&other).await?.is_none());
    assert_eq!(column(&sessions, "key").await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_sign_out_while_keys_are_unavailable_holds() -> Result<()> {
    let app = Application::start("keys").await?;
    let handle = app.sign_in(&app.process().await?).await?;
    // It has no keys yet.
    let sessions = app.process().await?;
    app.authkit.inject(Endpoint::Jwks, Fault::Status(503, None), usize::MAX);
    assert!(sessions.authenticate(&handle).await.is_err());
    assert_eq!(column(&sessions, "key").await?, [handle.key()]);
    assert!(sessions.sign_out(&handle).await?.is_none());
    app.authkit.heal();
    assert!(app.process().await?.authenticate(&handle).await?.is_none());
    Ok(())
}

#[test]
fn the_layer_is_short() {
    let lines = include_str!("../src/lib.rs").lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 80, "{lines} lines");
}
