//! The example on a database file that two processes share: each `Sessions` has a client and connections of its own.

use std::time::Duration;

use own_sessions::{Result, Sessions};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use tokio::task::JoinSet;
use workos_auth::secret::SessionHandle;
use workos_auth::testing::{AuthKit, Browser};
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
        let redirect = RedirectUri::new("http://127.0.0.1:8080/callback")?;
        let login = sessions.client.authorize(redirect).authkit().begin()?;
        let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
        sessions.sign_in(login.exchange(Callback::from_url(&callback)?)?.send().await?).await
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
    for _ in 0..3 {
        app.expire();
        let mut requests = JoinSet::new();
        for request in 0..40 {
            let (sessions, handle) = (processes[request % 2].clone(), SessionHandle::new(handle.expose_secret()));
            requests.spawn(async move { sessions.authenticate(&handle).await.map(|session| session.is_some()) });
        }
        for signed_in in requests.join_all().await {
            assert!(signed_in?);
        }
    }
    // The other process got WorkOS's replay of it, or read the row.
    assert_eq!(app.authkit.refreshes(), 3);
    Ok(())
}

#[tokio::test]
async fn requests_that_are_dropped_lose_no_session() -> Result<()> {
    let app = Application::start("dropped").await?;
    let (sessions, another) = (app.process().await?, app.process().await?);
    let handle = app.sign_in(&sessions).await?;
    for microseconds in (0..12_000).step_by(400) {
        app.expire();
        let request = sessions.authenticate(&handle);
        drop(tokio::time::timeout(Duration::from_micros(microseconds), request).await);
        // What has begun goes on; then only the row counts, since WorkOS replays nothing.
        tokio::time::sleep(Duration::from_millis(60)).await;
        app.expire();
        assert!(another.authenticate(&handle).await?.is_some(), "dropped after {microseconds} µs");
    }
    Ok(())
}

#[tokio::test]
async fn a_sign_out_during_a_refresh_is_not_undone() -> Result<()> {
    let app = Application::start("sign-out").await?;
    let (sessions, another) = (app.process().await?, app.process().await?);
    for milliseconds in 0..8 {
        let handle = app.sign_in(&sessions).await?;
        app.expire();
        let (refreshing, its_handle) = (sessions.clone(), SessionHandle::new(handle.expose_secret()));
        let request = tokio::spawn(async move { refreshing.authenticate(&its_handle).await.map(|_| ()) });
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        another.sign_out(&handle).await?;
        request.await??;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(column(&sessions, "key").await?, Vec::<String>::new());
        assert!(sessions.authenticate(&handle).await?.is_none());
    }
    Ok(())
}

#[test]
fn the_layer_is_short() {
    let lines = include_str!("../src/lib.rs").lines().filter(|line| !line.trim().is_empty()).count();
    assert!((40..=80).contains(&lines), "{lines} lines");
}
