//! Sign-outs that reach all sessions of a user, or one session, in all processes at once.

use std::sync::Arc;
use std::time::Duration;

use workos_auth::id::SessionId;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{MemorySessionStore, SessionStore, SignedOutReason};
use workos_auth::testing::{Endpoint, Fault, TestUser};
use workos_auth::{ErrorKind, SessionManager, SessionState, UserId};

use crate::support::Outcome;
use crate::support::application::{AUTHENTICATE, Application, access_token};
use crate::support::halfway::Halfway;
use crate::support::login::PASSWORD;

const REVOKE: Endpoint = Endpoint::RevokeSession;

async fn start() -> Outcome<Application> {
    let users = ["ada@example.com", "bob@example.com"];
    Application::of(users.map(|email| TestUser::new(email).password(PASSWORD))).await
}

fn manager_of<S: SessionStore>(app: &Application, store: S) -> SessionManager<S> {
    SessionManager::new(app.another_client(), store)
}

async fn sign_in<S: SessionStore>(
    app: &Application,
    manager: &SessionManager<S>,
    email: &str,
) -> Outcome<SessionHandle> {
    Ok(manager.sign_in(app.login(email).await?).await?)
}

async fn who<S: SessionStore>(manager: &SessionManager<S>, handle: &SessionHandle) -> Outcome<(UserId, SessionId)> {
    let session = manager.authenticate(handle).await.active()?;
    Ok((session.user().id.clone(), session.token().session_id().clone()))
}

fn removed(state: SessionState) {
    match state {
        SessionState::SignedOut(over) => assert_eq!(over.reason(), SignedOutReason::Removed),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn three_hundred_sessions_end_at_once_and_no_other() -> Outcome {
    const SESSIONS: usize = 300;
    let app = start().await?;
    let store = Arc::new(MemorySessionStore::new());
    let (here, there) = (manager_of(&app, Arc::clone(&store)), manager_of(&app, Arc::clone(&store)));
    let mut handles = Vec::new();
    for _ in 0..SESSIONS {
        handles.push(sign_in(&app, &here, "bob@example.com").await?);
    }
    let other = sign_in(&app, &here, "ada@example.com").await?;
    let (user_id, _) = who(&here, &handles[0]).await?;

    assert_eq!(here.sign_out_everywhere(&user_id).await?, SESSIONS);
    for handle in &handles {
        removed(there.authenticate(handle).await);
    }
    access_token(there.authenticate(&other).await);
    assert_eq!(here.sign_out_everywhere(&user_id).await?, 0, "a second time ends nothing");
    Ok(())
}

#[tokio::test]
async fn one_session_ends_here_and_at_workos() -> Outcome {
    let app = start().await?;
    let store = Arc::new(MemorySessionStore::new());
    let (here, there) = (manager_of(&app, Arc::clone(&store)), manager_of(&app, Arc::clone(&store)));
    let (one, other) = (sign_in(&app, &here, "bob@example.com").await?, sign_in(&app, &here, "bob@example.com").await?);
    let (user_id, session_id) = who(&here, &one).await?;
    here.end_session(&session_id).await?;
    removed(there.authenticate(&one).await);
    access_token(there.authenticate(&other).await);
    let listed = app.client.sessions().list(&user_id).send().await?.data;
    let ended: Vec<_> = listed.iter().filter(|session| session.ended_at.is_some()).map(|session| &session.id).collect();
    assert_eq!(ended, [&session_id]);

    // One that nobody knows.
    let error = here.end_session(&SessionId::new("session_unknown")?).await.unwrap_err();
    assert_eq!(error.status(), Some(http::StatusCode::NOT_FOUND));
    Ok(())
}

/// A refresh is under way in one process, and the sign-out comes from another.
#[tokio::test]
async fn a_refresh_in_flight_brings_nothing_back() -> Outcome {
    for whole_user in [true, false] {
        let app = start().await?;
        let store = Arc::new(MemorySessionStore::new());
        let (here, there) = (manager_of(&app, Arc::clone(&store)), manager_of(&app, Arc::clone(&store)));
        let handle = sign_in(&app, &here, "bob@example.com").await?;
        let (user_id, session_id) = who(&here, &handle).await?;
        app.expire();
        let before = app.requests();
        app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_secs(1)), 1);
        let refresh = there.authenticate(&handle);
        let sign_out = async {
            while app.requests() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if whole_user {
                here.sign_out_everywhere(&user_id).await.map(drop)
            } else {
                here.end_session(&session_id).await
            }
        };
        let (state, signed_out) = tokio::join!(refresh, sign_out);
        signed_out?;
        assert_eq!(app.authkit.refreshes(), 1, "WorkOS has refreshed it");
        removed(state);
        removed(here.authenticate(&handle).await);
        removed(there.authenticate(&handle).await);
    }
    Ok(())
}

/// A session is found by the ID of its newest tokens.
#[tokio::test]
async fn a_refreshed_session_is_still_found() -> Outcome {
    let app = start().await?;
    let manager = manager_of(&app, MemorySessionStore::new());
    let handle = sign_in(&app, &manager, "bob@example.com").await?;
    for _ in 0..2 {
        app.expire();
        access_token(manager.authenticate(&handle).await);
    }
    let (_, session_id) = who(&manager, &handle).await?;
    manager.end_session(&session_id).await?;
    removed(manager.authenticate(&handle).await);
    Ok(())
}

/// Each sign-in and each sign-out at the same time: after the last sign-out, nobody is signed in.
#[tokio::test]
async fn sign_outs_meet_refreshes_a_hundred_times() -> Outcome {
    let app = start().await?;
    let store = Arc::new(MemorySessionStore::new());
    let (here, there) = (manager_of(&app, Arc::clone(&store)), manager_of(&app, Arc::clone(&store)));
    let mut won = 0;
    for round in 0..100_u64 {
        let handle = sign_in(&app, &here, "bob@example.com").await?;
        let (user_id, _) = who(&here, &handle).await?;
        app.expire();
        let sign_out = async {
            tokio::time::sleep(Duration::from_micros(round * 397 % 12_000)).await;
            here.sign_out_everywhere(&user_id).await
        };
        let (one, two, done) = tokio::join!(here.authenticate(&handle), there.authenticate(&handle), sign_out);
        done?;
        won += [one, two].iter().filter(|state| matches!(state, SessionState::Active(_))).count();
        for manager in [&here, &there] {
            removed(manager.authenticate(&handle).await);
        }
    }
    assert!((1..200).contains(&won), "the one always came before the other: {won}");
    Ok(())
}

async fn active<S: SessionStore>(manager: &SessionManager<S>, handles: &[SessionHandle]) -> usize {
    let mut active = 0;
    for handle in handles {
        active += usize::from(matches!(manager.authenticate(handle).await, SessionState::Active(_)));
    }
    active
}

#[tokio::test]
async fn a_store_that_fails_halfway_says_so_and_a_second_call_ends_the_rest() -> Outcome {
    let app = start().await?;
    // Both rounds of the first call fail, after 30 sessions and after 40.
    let manager = manager_of(&app, Halfway { fails: (30, 2), ..Halfway::default() });
    let mut handles = Vec::new();
    for _ in 0..100 {
        handles.push(sign_in(&app, &manager, "bob@example.com").await?);
    }
    let (user_id, _) = who(&manager, &handles[0]).await?;
    let error = manager.sign_out_everywhere(&user_id).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Store), "{error:?}");
    assert_eq!(active(&manager, &handles).await, 70, "those that are left are active until their tokens expire");
    // At WorkOS they have ended all the same.
    let mut listed = app.client.sessions().list(&user_id).send().await?;
    loop {
        assert!(listed.data.iter().all(|session| session.ended_at.is_some()));
        match listed.next().await? {
            Some(next) => listed = next,
            None => break,
        }
    }
    assert_eq!(manager.sign_out_everywhere(&user_id).await?, 0);
    assert_eq!(active(&manager, &handles).await, 0);
    Ok(())
}

#[tokio::test]
async fn one_failure_of_the_store_is_made_up_for() -> Outcome {
    let app = start().await?;
    let manager = manager_of(&app, Halfway { fails: (3, 1), ..Halfway::default() });
    let mut handles = Vec::new();
    for _ in 0..10 {
        handles.push(sign_in(&app, &manager, "bob@example.com").await?);
    }
    let (user_id, _) = who(&manager, &handles[0]).await?;
    assert_eq!(manager.sign_out_everywhere(&user_id).await?, 10);
    assert_eq!(active(&manager, &handles).await, 0);
    Ok(())
}

#[tokio::test]
async fn sessions_end_here_while_workos_is_unavailable() -> Outcome {
    let app = start().await?;
    let manager = manager_of(&app, MemorySessionStore::new());
    let handle = sign_in(&app, &manager, "bob@example.com").await?;
    let (user_id, _) = who(&manager, &handle).await?;
    app.authkit.inject(REVOKE, Fault::Status(503, None), usize::MAX);
    let error = manager.sign_out_everywhere(&user_id).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    removed(manager.authenticate(&handle).await);
    app.authkit.heal();
    assert_eq!(manager.sign_out_everywhere(&user_id).await?, 1, "a second call ends it at WorkOS");
    Ok(())
}

#[tokio::test]
async fn a_store_that_keeps_what_it_removes_is_an_error_not_an_endless_loop() -> Outcome {
    let app = start().await?;
    let manager = manager_of(&app, Halfway { keeps: true, ..Halfway::default() });
    let handle = sign_in(&app, &manager, "bob@example.com").await?;
    let (user_id, _) = who(&manager, &handle).await?;
    let error = manager.sign_out_everywhere(&user_id).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Store), "{error:?}");
    Ok(())
}
