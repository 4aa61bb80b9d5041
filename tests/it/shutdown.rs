//! A process that is asked to end while a refresh is under way: with `Client::idle` it keeps the new tokens first.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::time::timeout;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{
    CookieSessions, FileTokenStore, MemorySessionStore, NotKept, SessionUpdate, SessionVersion, SignedOutReason,
    TokenSession,
};
use workos_auth::testing::{Fault, TestUser};
use workos_auth::{
    Client, Confidential, ConfidentialClient, CookiePassword, ErrorCode, OpenedSession, SessionCookie, SessionManager,
    SessionState,
};

use crate::support::Outcome;
use crate::support::application::{AUTHENTICATE, Application, access_token};
use crate::support::login::{PASSWORD, in_browser};
use crate::support::session::assert_reason;

/// How long WorkOS takes for its reply.
const STALL: Duration = Duration::from_secs(1);

async fn start() -> Outcome<Application> {
    Application::of([TestUser::new("ada@example.com").password(PASSWORD)]).await
}

/// A process that begins some work, whose caller hangs up. Then it is asked to end.
async fn process<K, W>(app: &Application, client: Client<K>, waits: bool, work: W) -> Outcome
where
    K: Send + Sync + 'static,
    W: Future<Output: Send> + Send + 'static,
{
    app.expire();
    app.authkit.inject(AUTHENTICATE, Fault::Slow(STALL), 1);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let main = async move {
        // Nothing is under way.
        client.idle().await;
        drop(timeout(STALL / 2, work).await);
        let began = Instant::now();
        if waits {
            timeout(Duration::from_secs(20), client.idle()).await?;
            assert!(began.elapsed() > STALL / 4, "a refresh is under way");
        }
        Outcome::Ok(())
    };
    let ended = runtime.spawn(main).await;
    runtime.shutdown_background();
    // Too late for a replay.
    app.clock.advance(Duration::from_secs(60));
    ended?
}

/// Whether a session in a store is there after the process.
async fn in_a_store(waits: bool) -> Outcome<SessionState> {
    let (app, store) = (start().await?, Arc::new(MemorySessionStore::new()));
    let sessions = SessionManager::new(app.another_client(), Arc::clone(&store));
    let handle = sessions.sign_in(app.login("ada@example.com").await?).await?;
    let client = app.authkit.confidential_client_builder().build()?;
    let (manager, same) = (SessionManager::new(client.clone(), store), copy(&handle));
    process(&app, client, waits, async move { manager.authenticate(&same).await }).await?;
    // The lock of a process that ended is free after 8 s.
    Ok(sessions.answer_within(Duration::from_secs(20)).authenticate(&handle).await)
}

fn copy(handle: &SessionHandle) -> SessionHandle {
    use workos_auth::ExposeSecret;
    SessionHandle::new(handle.expose_secret())
}

#[tokio::test]
async fn a_store_has_the_new_tokens_of_a_process_that_waits() -> Outcome {
    access_token(in_a_store(true).await?);
    // Its token is used up. Until the claim of the process is over, nobody ends the session because of that.
    assert!(matches!(in_a_store(false).await?, SessionState::TemporarilyUnknown(_)), "nothing was lost");
    Ok(())
}

/// Whether a session in an application's own row is there after the process.
async fn in_a_row(waits: bool) -> Outcome<Result<OpenedSession<Confidential>, NotKept>> {
    let (app, seal) = (start().await?, SessionCookie::new(CookiePassword::generate()?)?);
    let session = app.client.session(app.login("ada@example.com").await?);
    let row = Arc::new(Mutex::new((session.version(), seal.seal(&session)?)));
    let write = {
        let (row, seal) = (Arc::clone(&row), seal.clone());
        move |update: SessionUpdate<Confidential>| {
            let mut row: std::sync::MutexGuard<'_, (SessionVersion, String)> = row.lock().unwrap();
            let has_changed = row.0 == update.replaces;
            if let Some(session) = update.session.filter(|_| has_changed) {
                *row = (session.version(), seal.seal(&session).unwrap());
            }
            std::future::ready(Ok::<_, Infallible>(has_changed))
        }
    };
    let open = |client: &ConfidentialClient| seal.open(client, &row.lock().unwrap().1);
    let client = app.authkit.confidential_client_builder().build()?;
    let (opened, same) = (open(&client)?, write.clone());
    process(&app, client, waits, async move { opened.refresh().keep(same).await.is_ok() }).await?;
    Ok(open(&app.another_client())?.refresh().keep(write).await)
}

#[tokio::test]
async fn a_row_has_the_new_tokens_of_a_process_that_waits() -> Outcome {
    drop(in_a_row(true).await??);
    let Err(NotKept::Ended(over)) = in_a_row(false).await? else { panic!("nothing was lost") };
    assert_eq!(over.error().and_then(|error| error.code()), Some(&ErrorCode::InvalidGrant));
    Ok(())
}

/// Whether a session in a file is there after the process.
async fn in_a_file(name: &str, waits: bool) -> Outcome<SessionState> {
    let app = start().await?;
    let directory = std::env::temp_dir().join(format!("workos-auth-{name}-{}", std::process::id()));
    let session = |client| Outcome::Ok(TokenSession::new(client, FileTokenStore::open(directory.join("token"))?));
    let before = app.authkit.public_client();
    session(before.clone())?.sign_in(in_browser(&before, "ada@example.com").await?).await?;
    let client = app.authkit.public_client_builder().build()?;
    let ending = session(client.clone())?;
    process(&app, client, waits, async move { ending.authenticate().await }).await?;
    let state = session(app.authkit.public_client())?.authenticate().await;
    std::fs::remove_dir_all(directory)?;
    Ok(state)
}

#[tokio::test]
async fn a_file_has_the_new_token_of_a_process_that_waits() -> Outcome {
    access_token(in_a_file("waits", true).await?);
    let SessionState::SignedOut(over) = in_a_file("ends", false).await? else { panic!("nothing was lost") };
    assert_reason(&over, SignedOutReason::Ended);
    Ok(())
}

/// A cookie is with the browser: the server waits for its responses. Without them, at least the exchange comes to its end.
#[tokio::test]
async fn a_refresh_for_a_cookie_is_waited_for() -> Outcome {
    let app = start().await?;
    let client = app.authkit.confidential_client_builder().build()?;
    let cookie = SessionCookie::new(CookiePassword::generate()?)?;
    let sealed = cookie.seal(&client.session(app.login("ada@example.com").await?))?;
    let sessions = CookieSessions::new(client.clone(), cookie);
    process(&app, client, true, async move { drop(sessions.authenticate(&sealed).await.respond(http::Response::new)) })
        .await
}
