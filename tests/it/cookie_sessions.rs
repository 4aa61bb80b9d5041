//! Sessions that are only in their cookies: what is set, what is kept, and what is shared between tasks.

use std::time::Duration;

use tokio::task::JoinSet;
use workos_auth::error::SealError;
use workos_auth::session::{CookieSessions, SignedOutReason, SwitchError};
use workos_auth::testing::{Endpoint, Fault, Skew, TestUser};
use workos_auth::{
    AuthenticationResponse, ConfidentialClient, CookiePassword, Error, ErrorKind, ExposeSecret, OrganizationId,
    RedirectUri, SessionCookie, SessionState, SignedIn,
};

use crate::support::Outcome;
use crate::support::application::{AUTHENTICATE, Application, access_token};
use crate::support::login::PASSWORD;
use crate::support::session::{Given, assert_reason, over, split};

const COOKIE_PASSWORD: &str = "0123456789abcdef0123456789abcdef";

/// An application, and its sessions.
async fn start() -> Outcome<(Application, CookieSessions)> {
    let ada = TestUser::new("ada@example.com").password(PASSWORD).organization("org_one");
    let app = Application::of([ada]).await?;
    let sessions = sessions_of(app.client.clone())?;
    Ok((app, sessions))
}

fn sessions_of(client: ConfidentialClient) -> Outcome<CookieSessions> {
    Ok(CookieSessions::new(client, SessionCookie::new(CookiePassword::new(COOKIE_PASSWORD)?)?))
}

async fn login(app: &Application) -> Outcome<AuthenticationResponse> {
    app.login("ada@example.com").await
}

/// The cookie of a session whose access token has expired.
async fn expired(app: &Application, sessions: &CookieSessions) -> Outcome<String> {
    let cookie = sessions.sign_in(login(app).await?)?;
    app.expire();
    Ok(cookie.expose_secret().to_owned())
}

fn is_cleared(cookie: Option<Given>) -> bool {
    cookie.is_some_and(|given| given.value.is_empty() && given.is_clearing)
}

/// What is answered to a request with this cookie, and its new one.
async fn ask(sessions: &CookieSessions, sealed: &str) -> (SessionState, Option<Given>) {
    split(sessions.authenticate(sealed).await)
}

async fn switch(
    sessions: &CookieSessions,
    sealed: &str,
    id: OrganizationId,
) -> (Result<SignedIn, SwitchError>, Option<Given>) {
    split(sessions.switch_organization(sealed, id).await)
}

#[tokio::test]
async fn a_session_from_sign_in_to_sign_out() -> Outcome {
    let (app, sessions) = start().await?;
    let cookie = sessions.sign_in(login(&app).await?)?;
    assert_eq!(cookie.name(), sessions.cookie_name());
    let (state, nothing) = ask(&sessions, cookie.expose_secret()).await;
    let first = access_token(state);
    assert!(nothing.is_none());

    app.clock.advance(Duration::from_secs(301));
    let (state, renewed) = ask(&sessions, cookie.expose_secret()).await;
    let renewed = renewed.ok_or("no cookie")?;
    let second = access_token(state);
    assert_ne!(second, first);
    let (state, nothing) = ask(&sessions, &renewed.value).await;
    assert_eq!(access_token(state), second);
    assert!(nothing.is_none());

    let return_to = RedirectUri::new("https://example.com/")?;
    let (logged_out, cleared) = split(sessions.sign_out(&renewed.value, Some(&return_to)));
    assert!(logged_out.is_some_and(|url| url.as_str().ends_with("&return_to=https%3A%2F%2Fexample.com%2F")));
    assert!(is_cleared(cleared));
    let (nowhere, cleared) = split(sessions.sign_out("", None));
    assert!(nowhere.is_none() && is_cleared(cleared));

    // A copy is refused here at once, while its access token is good and for as long as one may be.
    for _ in 0..2 {
        let (state, cleared) = ask(&sessions, &renewed.value).await;
        over(state, SignedOutReason::Ended);
        assert!(is_cleared(cleared));
        app.clock.advance(Duration::from_secs(599));
    }
    let (state, cleared) = ask(&sessions, &renewed.value).await;
    access_token(state);
    assert!(!is_cleared(cleared), "the sign-out here was forgotten; the one at WorkOS needs the browser");
    Ok(())
}

#[tokio::test]
async fn tasks_share_one_refresh() -> Outcome {
    let (app, sessions) = start().await?;
    let sealed = expired(&app, &sessions).await?;
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let (sessions, sealed) = (sessions.clone(), sealed.clone());
        tasks.spawn(async move {
            let (state, cookie) = ask(&sessions, &sealed).await;
            assert!(cookie.is_some(), "each answer sets the new cookie, since any may be lost");
            access_token(state)
        });
    }
    let tokens = tasks.join_all().await;
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn a_new_pair_is_set_even_if_nobody_can_tell_what_it_is_worth() -> Outcome {
    let (app, sessions) = start().await?;
    let sealed = expired(&app, &sessions).await?;
    app.authkit.inject_for(Endpoint::Jwks, Fault::Status(500, None), Duration::from_secs(7200));
    // Without keys, not even the old token is known to be over.
    let (state, cookie) = ask(&sessions, &sealed).await;
    assert!(matches!(&state, SessionState::TemporarilyUnknown(_)) && cookie.is_none(), "{state:?}");
    app.authkit.heal();
    app.clock.advance(Duration::from_secs(60));
    access_token(ask(&sessions, &sealed).await.0);

    // The new token's key is unavailable.
    let sealed = expired(&app, &sessions).await?;
    app.authkit.rotate_keys()?;
    app.authkit.inject_for(Endpoint::Jwks, Fault::Status(500, None), Duration::from_secs(7200));
    let (state, cookie) = ask(&sessions, &sealed).await;
    assert!(matches!(&state, SessionState::TemporarilyUnknown(error) if error.is_transient()), "{state:?}");
    let cookie = cookie.ok_or("the new pair is lost")?;
    app.authkit.heal();
    app.clock.advance(Duration::from_secs(60));
    access_token(ask(&sessions, &cookie.value).await.0);
    Ok(())
}

#[tokio::test]
async fn an_outage_keeps_the_cookie() -> Outcome {
    let (app, sessions) = start().await?;
    let sealed = expired(&app, &sessions).await?;
    for fault in [Fault::Status(500, None), Fault::Status(429, None), Fault::Status(401, None), Fault::LostBefore] {
        app.authkit.inject_for(AUTHENTICATE, fault, Duration::from_secs(7200));
        let (state, cookie) = ask(&sessions, &sealed).await;
        assert!(matches!(&state, SessionState::TemporarilyUnknown(_)) && cookie.is_none(), "{fault:?}: {state:?}");
        app.authkit.heal();
    }
    // Ahead of its expiry, a token is good whatever WorkOS says.
    let cookie = sessions.sign_in(login(&app).await?)?;
    app.clock.advance(Duration::from_secs(271));
    app.authkit.inject_for(AUTHENTICATE, Fault::Status(500, None), Duration::from_secs(7200));
    let (state, nothing) = ask(&sessions, cookie.expose_secret()).await;
    access_token(state);
    assert!(nothing.is_none());
    Ok(())
}

#[tokio::test]
async fn what_is_over_is_cleared() -> Outcome {
    let (app, sessions) = start().await?;
    let sealed = expired(&app, &sessions).await?;
    let other = SessionCookie::new(CookiePassword::new("another password of 32 characters")?)?;
    for (sealed, reason) in
        [("", None), ("Fe26.2", Some(SealError::Malformed)), (&sealed[..100], Some(SealError::Malformed))]
    {
        let (state, cookie) = ask(&sessions, sealed).await;
        if let Some(reason) = reason {
            let error = Error::from(over(state, SignedOutReason::Unreadable));
            assert!(matches!(error.kind(), ErrorKind::Sealed(given) if *given == reason), "{error}");
        } else {
            over(state, SignedOutReason::NotFound);
        }
        assert!(is_cleared(cookie));
    }
    let (foreign, cookie) = ask(&CookieSessions::new(app.client.clone(), other), &sealed).await;
    over(foreign, SignedOutReason::Unreadable);
    assert!(is_cleared(cookie));

    // WorkOS has ended it. Its access token is good until it expires, for the old cookie as for the new one.
    let session = ask(&sessions, &sealed).await.0.active()?;
    assert_eq!(sessions.sign_out_everywhere(&session.user().id).await?, 1);
    app.clock.advance(Duration::from_secs(301));
    // An answer that took long clears nothing: the browser may have a new login's cookie by then. The next one does.
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(400)), 1);
    let (state, late) = ask(&sessions, &sealed).await;
    over(state, SignedOutReason::Ended);
    assert!(late.is_none(), "{late:?}");
    let (state, cookie) = ask(&sessions, &sealed).await;
    over(state, SignedOutReason::Ended);
    assert!(is_cleared(cookie));
    Ok(())
}

#[tokio::test]
async fn a_switch_sets_the_cookie_of_the_new_organization() -> Outcome {
    let (app, sessions) = start().await?;
    let cookie = sessions.sign_in(login(&app).await?)?;
    let (refused, nothing) = switch(&sessions, cookie.expose_secret(), OrganizationId::new("org_three")?).await;
    assert!(matches!(refused, Err(SwitchError::Kept(_))) && nothing.is_none());
    let one = OrganizationId::new("org_one")?;
    let (switched, cookie) = switch(&sessions, cookie.expose_secret(), one.clone()).await;
    assert_eq!(switched?.token().organization_id(), Some(&one));
    let (state, _) = ask(&sessions, &cookie.ok_or("no cookie")?.value).await;
    assert_eq!(state.active()?.organization_id(), Some(&one));
    let (gone, cleared) = switch(&sessions, "", one).await;
    let Err(SwitchError::SignedOut(gone)) = gone else { panic!("{gone:?}") };
    assert_reason(&gone, SignedOutReason::NotFound);
    assert!(is_cleared(cleared));
    Ok(())
}

#[tokio::test]
async fn a_slow_refresh_ahead_of_expiry_sets_its_cookie() -> Outcome {
    let (app, sessions) = start().await?;
    let cookie = sessions.sign_in(login(&app).await?)?;
    app.clock.advance(Duration::from_secs(271));
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(1_500)), 1);
    let begun = tokio::spawn({
        let (sessions, sealed) = (sessions.clone(), cookie.expose_secret().to_owned());
        async move { ask(&sessions, &sealed).await }
    });
    while app.authkit.requests_to(AUTHENTICATE) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Its token is good still, and somebody else waits for the next one.
    let started = std::time::Instant::now();
    let (state, nothing) = ask(&sessions, cookie.expose_secret()).await;
    let old = access_token(state);
    assert!(nothing.is_none() && started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());

    let (state, renewed) = begun.await?;
    let renewed = renewed.ok_or("the new pair is in no cookie")?;
    assert_ne!(access_token(state), old);
    // A user who comes back when WorkOS no longer replays anything is still signed in.
    app.clock.advance(Duration::from_secs(300));
    access_token(ask(&sessions, &renewed.value).await.0);
    Ok(())
}

#[tokio::test]
async fn a_pair_that_nobody_got_is_kept_for_who_comes_with_the_old_cookie() -> Outcome {
    for (away, refreshes) in [(32, 1), (299, 1), (330, 2), (570, 2)] {
        let (app, sessions) = start().await?;
        let sealed = expired(&app, &sessions).await?;
        app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(300)), 1);
        // The browser hangs up before the reply of WorkOS comes.
        let hung_up = tokio::time::timeout(Duration::from_millis(100), sessions.authenticate(&sealed)).await;
        assert!(hung_up.is_err());
        tokio::time::sleep(Duration::from_millis(400)).await;
        app.clock.advance(Duration::from_secs(away));
        let (state, cookie) = ask(&sessions, &sealed).await;
        access_token(state);
        let cookie = cookie.ok_or("no cookie")?;
        assert_eq!(app.authkit.refreshes(), refreshes, "away for {away} s");
        // What it got is the newest.
        app.clock.advance(Duration::from_secs(301));
        access_token(ask(&sessions, &cookie.value).await.0);
    }
    Ok(())
}

#[tokio::test]
async fn a_straggler_after_a_switch_gets_the_newest_pair() -> Outcome {
    let (app, sessions) = start().await?;
    let sealed = expired(&app, &sessions).await?;
    let renewed = ask(&sessions, &sealed).await.1.ok_or("no cookie")?;
    let one = OrganizationId::new("org_one")?;
    let (switched, _) = switch(&sessions, &renewed.value, one.clone()).await;
    switched?;
    // It was sent before either of them was answered.
    let (state, cookie) = ask(&sessions, &sealed).await;
    assert_eq!(state.active()?.organization_id(), Some(&one));
    let cookie = cookie.ok_or("no cookie")?;
    assert_eq!(app.authkit.refreshes(), 2);
    app.clock.advance(Duration::from_secs(330));
    let (state, _) = ask(&sessions, &cookie.value).await;
    assert_eq!(state.active()?.organization_id(), Some(&one));
    Ok(())
}

#[tokio::test]
async fn a_switch_is_not_taken_for_done_when_another_process_was_there_before() -> Outcome {
    let (app, sessions) = start().await?;
    let sealed = expired(&app, &sessions).await?;
    let other = sessions_of(app.another_client())?;
    access_token(ask(&other, &sealed).await.0);
    let one = OrganizationId::new("org_one")?;
    let (switched, cookie) = switch(&sessions, &sealed, one.clone()).await;
    assert_eq!(switched?.token().organization_id(), Some(&one));
    assert!(cookie.is_some());
    Ok(())
}

#[tokio::test]
async fn an_answer_comes_in_time_and_the_work_goes_on() -> Outcome {
    let (app, sessions) = start().await?;
    let sealed = expired(&app, &sessions).await?;
    let sessions = sessions.clone().answer_within(Duration::from_millis(200));
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(800)), 1);
    let started = std::time::Instant::now();
    let (state, nothing) = ask(&sessions, &sealed).await;
    assert!(started.elapsed() < Duration::from_millis(700), "{:?}", started.elapsed());
    let SessionState::TemporarilyUnknown(error) = state else { panic!("{state:?}") };
    assert!(matches!(error.kind(), ErrorKind::Timeout) && error.is_transient() && nothing.is_none());
    tokio::time::sleep(Duration::from_millis(900)).await;
    let (state, cookie) = ask(&sessions, &sealed).await;
    access_token(state);
    assert!(cookie.is_some());
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_ahead_causes_one_rotation_per_token_life() -> Outcome {
    let (app, sessions) = start().await?;
    app.authkit.set_skew(Skew::Behind(Duration::from_secs(400)));
    let mut sealed = sessions.sign_in(login(&app).await?)?.expose_secret().to_owned();
    for _ in 0..20 {
        app.clock.advance(Duration::from_secs(10));
        let (state, cookie) = ask(&sessions, &sealed).await;
        assert!(matches!(&state, SessionState::TemporarilyUnknown(_)), "{state:?}");
        sealed = cookie.map_or(sealed, |cookie| cookie.value);
    }
    assert_eq!(app.authkit.refreshes(), 1);
    // The clock is right again.
    app.authkit.set_skew(Skew::NONE);
    app.clock.advance(Duration::from_secs(120));
    access_token(ask(&sessions, &sealed).await.0);
    Ok(())
}

#[tokio::test]
async fn a_session_is_renewed_after_the_computer_slept() -> Outcome {
    let (app, sessions) = start().await?;
    let sealed = expired(&app, &sessions).await?;
    let renewed = ask(&sessions, &sealed).await.1.ok_or("no cookie")?;
    // The time of day went on, and the monotonic clock stood still.
    app.clock.set_skew(Skew::Ahead(Duration::from_secs(3600)));
    let (state, cookie) = ask(&sessions, &renewed.value).await;
    access_token(state);
    assert!(cookie.is_some());
    assert_eq!(app.authkit.refreshes(), 2);
    Ok(())
}

#[tokio::test]
async fn a_switch_whose_answer_was_lost_is_done_when_it_is_asked_for_again() -> Outcome {
    for away in [20, 200, 400, 570] {
        let (app, sessions) = start().await?;
        let cookie = sessions.sign_in(login(&app).await?)?;
        let one = OrganizationId::new("org_one")?;
        let (lost, _) = switch(&sessions, cookie.expose_secret(), one.clone()).await;
        lost?;
        app.clock.advance(Duration::from_secs(away));
        let (switched, cookie) = switch(&sessions, cookie.expose_secret(), one.clone()).await;
        assert_eq!(switched?.token().organization_id(), Some(&one), "after {away} s");
        app.clock.advance(Duration::from_secs(301));
        access_token(ask(&sessions, &cookie.ok_or("no cookie")?.value).await.0);
    }
    Ok(())
}

#[tokio::test]
async fn a_cookie_that_grew_leaves_out_what_is_needed_least() -> Outcome {
    let (app, sessions) = start().await?;
    let mut response = login(&app).await?;
    response.user.metadata = (0..10).map(|field| (format!("key{field}"), "x".repeat(400))).collect();
    response.user.profile_picture_url = Some(format!("https://example.com/{}", "x".repeat(100)));
    let user = response.user.id.clone();
    let cookie = sessions.sign_in(response)?;
    assert!(cookie.name().len() + cookie.expose_secret().len() <= 4096);
    let session = ask(&sessions, cookie.expose_secret()).await.0.active()?;
    assert!(session.user().id == user && session.user().metadata.is_empty());
    assert!(session.user().profile_picture_url.is_some(), "there is room for it");
    app.clock.advance(Duration::from_secs(301));
    access_token(ask(&sessions, cookie.expose_secret()).await.0);

    // There is no room in any case, which is known before the token is spent.
    let name = "n".repeat(3_000);
    let narrow = SessionCookie::new(CookiePassword::new(COOKIE_PASSWORD)?)?.name(name)?;
    let narrow = CookieSessions::new(app.client.clone(), narrow);
    let refreshes = app.authkit.refreshes();
    let sealed = expired(&app, &sessions).await?;
    let (state, nothing) = ask(&narrow, &sealed).await;
    let SessionState::TemporarilyUnknown(error) = state else { panic!("{state:?}") };
    assert!(matches!(error.kind(), ErrorKind::Sealed(SealError::TooLarge { .. })) && nothing.is_none());
    assert_eq!(app.authkit.refreshes(), refreshes);
    Ok(())
}
