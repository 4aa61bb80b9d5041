//! Sessions: their life, what ends them, what doesn't, and what they look like in a cookie.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use workos_auth::error::{SealError, TokenError};
use workos_auth::session::{NotActive, RefreshError, SignedOutReason};
use workos_auth::testing::{AuthKit, Browser, Endpoint, Fault, TestUser};
use workos_auth::token::NotVerified;
use workos_auth::{
    Confidential, ConfidentialClient, CookiePassword, Error, ErrorCode, ErrorKind, ExposeSecret, OpenedSession,
    OrganizationId, RedirectUri, Refreshed, SessionCookie, SignedOut,
};

use crate::support::Outcome;
use crate::support::application::{AUTHENTICATE, Application};
use crate::support::clients::{NOWHERE, clock, confidential};
use crate::support::login::{PASSWORD, in_browser};
use crate::support::scripted::{prompt_api, response_in, session, user};
use crate::support::session::{assert_reason, keep, parts, refreshed};

const COOKIE_PASSWORD: &str = "a-random-password-of-32-characters";

async fn start() -> Outcome<Application> {
    let ada = TestUser::new("ada@example.com").name("Ada", "Lovelace").password(PASSWORD);
    let grace = TestUser::new("grace@example.com").password(PASSWORD).organization("org_1");
    Application::configured([ada, grace], |builder| builder.timeout(Duration::from_millis(500))).await
}

async fn sign_in(app: &Application, email: &str) -> Outcome<OpenedSession<Confidential>> {
    Ok(app.client.session(app.login(email).await?))
}

fn cookie() -> SessionCookie {
    SessionCookie::new(CookiePassword::new(COOKIE_PASSWORD).unwrap()).unwrap()
}

/// The same session once more, as every request gets it out of the cookie.
fn again(client: &ConfidentialClient, session: &OpenedSession<Confidential>) -> OpenedSession<Confidential> {
    let cookie = cookie();
    cookie.open(client, &cookie.seal(session).unwrap()).unwrap()
}

fn kept<K>(outcome: Result<Refreshed<K>, RefreshError<K>>) -> (Refreshed<K>, Error) {
    match outcome {
        Err(RefreshError::Kept(kept)) => {
            let error = kept.error().clone();
            (kept.into_refreshed(), error)
        }
        Err(RefreshError::Ended(over)) => panic!("it ended: {over:?}"),
        Ok(_) => panic!("it was refreshed"),
    }
}

fn ended<K>(outcome: Result<Refreshed<K>, RefreshError<K>>) -> Error {
    match outcome {
        Err(RefreshError::Ended(over)) => {
            assert_reason(&over, SignedOutReason::Ended);
            over.into()
        }
        Err(RefreshError::Kept(kept)) => panic!("it was kept: {}", kept.error()),
        Ok(_) => panic!("it was refreshed"),
    }
}

#[tokio::test]
async fn a_session_lives_from_check_to_refresh_to_sign_out() -> Outcome {
    let app = start().await?;
    let verifier = app.client.verifier();
    let session = sign_in(&app, "ada@example.com").await?;
    let later = again(&app.client, &session);
    let session = session.check(&verifier).await?;
    assert_eq!(session.token().user_id(), &session.user().id);

    app.expire();
    let old = session.access_token();
    let Err(NotVerified::Expired(expired)) = verifier.verify(old).await else { panic!("it has expired") };
    let Err(NotActive::Expired(later)) = later.check(&verifier).await else { panic!("it has expired") };
    assert_eq!(later.session_id(), session.token().session_id());
    assert_eq!(later.expired_at(), session.token().expires_at());

    let (_, session) = later.refresh().await?.into_cookie(&cookie())?;
    let copy = again(&app.client, &session);
    let session = session.check(&verifier).await?;
    let token = session.token().clone();
    assert_eq!(token.session_id(), expired.session_id());
    assert_eq!(app.authkit.refreshes(), 1);

    let sign_out = session.sign_out(Some(&RedirectUri::new("http://127.0.0.1:8080/bye")?));
    assert_reason(&sign_out.signed_out, SignedOutReason::ByTheUser);
    // Its access token is good still, and lets nobody in.
    let Err(NotActive::Ended(ended)) = copy.check(&verifier).await else { panic!("it was signed out") };
    assert!(matches!(Error::from(ended).kind(), ErrorKind::SignedOut));
    assert!(cookie().clear(&sign_out.signed_out).is_clearing());
    let expected = format!(
        "{}/user_management/sessions/logout?session_id={}&return_to=http%3A%2F%2F127.0.0.1%3A8080%2Fbye",
        app.authkit.base_url(),
        token.session_id()
    );
    assert_eq!(sign_out.url.as_str(), expected);
    assert_eq!(app.client.logout_url(&expired, None).as_str(), expected.split_once('&').unwrap().0);
    Ok(())
}

#[tokio::test]
async fn a_public_client_has_sessions_too() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.public_client();
    let verifier = client.verifier();
    let session = client.session(in_browser(&client, "ada@example.com").await?).check(&verifier).await?;
    let session = refreshed(session.refresh()).await;
    // An application that keeps the parts in its own place gets the same session of them.
    let session = client.session(session.into_unverified_parts()).check(&verifier).await?;
    let session = refreshed(session.refresh()).await.check(&verifier).await?;
    let logged_out = session.sign_out(None);
    Browser::new()?.visit(logged_out.url.as_str()).await?;
    Ok(())
}

#[tokio::test]
async fn organizations_are_switched_and_foreign_ones_refused() -> Outcome {
    let clock = clock();
    let user = TestUser::new("ada@example.com").organization("org_1").organization("org_2");
    let authkit = AuthKit::builder().clock(clock.clone()).user(user).start().await?;
    let client = authkit.confidential_client();
    let verifier = client.verifier();
    let session = client.session(in_browser(&client, "ada@example.com").await?).check(&verifier).await?;
    assert_eq!(session.organization_id().map(OrganizationId::as_str), Some("org_1"));
    let session = session.switch_organization(OrganizationId::new("org_2")?).await?;
    let session = keep(session).check(&verifier).await?;
    assert_eq!(session.organization_id().map(OrganizationId::as_str), Some("org_2"));
    // Refused, and the session goes on.
    let (session, error) = kept(session.switch_organization(OrganizationId::new("org_3")?).await);
    assert_eq!(error.code().map(ErrorCode::as_str), Some("organization_membership_not_found"));
    let session = keep(session).check(&verifier).await?.refresh().await?;
    let session = keep(session).check(&verifier).await?;
    assert_eq!(session.organization_id().map(OrganizationId::as_str), Some("org_2"));
    Ok(())
}

#[tokio::test]
async fn a_token_that_dies_within_the_request_counts_as_expired() -> Outcome {
    let app = start().await?;
    let session = sign_in(&app, "ada@example.com").await?;
    let careful = app.client.verifier().min_ttl(Duration::from_secs(30));
    app.clock.advance(Duration::from_secs(269));
    assert!(again(&app.client, &session).check(&careful).await.is_ok());
    app.clock.advance(Duration::from_secs(1));
    assert!(matches!(again(&app.client, &session).check(&careful).await, Err(NotActive::Expired(_))));
    assert!(session.check(&app.client.verifier()).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn the_token_of_another_user_is_refused() -> Outcome {
    let app = start().await?;
    let verifier = app.client.verifier();
    let (ada, grace) = (sign_in(&app, "ada@example.com").await?, sign_in(&app, "grace@example.com").await?);
    let mut mixed = ada.into_unverified_parts();
    mixed.access_token = grace.into_unverified_parts().access_token;
    let Err(NotActive::Invalid(rejected)) = app.client.session(mixed).check(&verifier).await else {
        panic!("it is another user's")
    };
    assert!(matches!(rejected.error().kind(), ErrorKind::InvalidToken(TokenError::WrongUser)));

    // Nor is it any better when its time is over.
    let mixed = rejected.recover()?;
    app.expire();
    let Err(NotActive::Invalid(rejected)) = mixed.check(&verifier).await else { panic!("it is another user's") };
    assert!(matches!(rejected.error().kind(), ErrorKind::InvalidToken(TokenError::WrongUser)));
    Ok(())
}

#[tokio::test]
async fn a_refresh_that_brings_another_user_is_thrown_away() -> Outcome {
    let app = start().await?;
    let mut mixed = sign_in(&app, "ada@example.com").await?.into_unverified_parts();
    mixed.refresh_token = sign_in(&app, "grace@example.com").await?.into_unverified_parts().refresh_token;
    let error = ended(app.client.session(mixed).refresh().await);
    assert!(matches!(error.kind(), ErrorKind::AnotherUser));
    Ok(())
}

#[tokio::test]
async fn failures_that_say_nothing_about_the_session_keep_it() -> Outcome {
    let app = start().await?;
    let mut session = sign_in(&app, "ada@example.com").await?;
    let faults = [
        (Fault::Status(408, None), false),
        (Fault::Status(429, None), false),
        (Fault::Status(429, Some(20)), false),
        (Fault::Status(500, None), true),
        (Fault::Status(503, Some(1)), true),
        (Fault::Status(401, None), false),
        (Fault::Stall, true),
        (Fault::LostBefore, true),
        (Fault::LostAfter, true),
        (Fault::Truncated, true),
    ];
    for (fault, ambiguous) in faults {
        app.expire();
        app.authkit.inject(AUTHENTICATE, fault, usize::MAX);
        let (same, error) = kept(session.refresh().await);
        if let Fault::Status(_, Some(seconds)) = fault {
            assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)), "{fault:?}");
        }
        let ambiguous = ambiguous || matches!(fault, Fault::Status(408, _));
        assert_eq!(error.replay_before().is_some(), ambiguous, "{fault:?}: {error:?}");
        if let Some(until) = error.replay_before() {
            assert!(SystemTime::from(until) > app.clock.now(), "there is time left for {fault:?}");
        }
        app.authkit.heal();
        session = keep(keep(same).refresh().await?);
        assert!(again(&app.client, &session).check(&app.client.verifier()).await.is_ok(), "{fault:?}");
    }
    assert_eq!(app.authkit.refreshes(), faults.len(), "one for each, replays aside");
    Ok(())
}

#[tokio::test]
async fn a_connection_that_is_refused_keeps_the_session() -> Outcome {
    let app = start().await?;
    let session = sign_in(&app, "ada@example.com").await?;
    let elsewhere = app.authkit.confidential_client_builder().base_url(NOWHERE).clock(app.clock.clone()).build()?;
    let (session, error) = kept(elsewhere.session(session.into_unverified_parts()).refresh().await);
    assert!(matches!(error.kind(), ErrorKind::NotSent) && error.replay_before().is_none());
    let _refreshed = app.client.session(parts(session)).refresh().await?;
    Ok(())
}

/// A client whose API answers what it is told.
fn scripted(answer: impl Fn(Value) -> (u16, Value) + Send + Sync + 'static) -> Outcome<ConfidentialClient> {
    Ok(confidential(NOWHERE).clock(clock()).build_with(prompt_api(answer))?)
}

#[tokio::test]
async fn terminal_answers_say_which_and_nobody_asks_again() -> Outcome {
    let answers = [
        (400, json!({"error": "invalid_grant", "error_description": "The token is dead."}), "invalid_grant"),
        (403, json!({"code": "sso_required", "message": "m", "email": "a@b.c", "connection_ids": []}), "sso_required"),
        (
            403,
            json!({"code": "mfa_enrollment", "message": "m", "pending_authentication_token": "p", "user": user()}),
            "mfa_enrollment",
        ),
        (
            403,
            json!({"code": "organization_selection_required", "message": "m", "pending_authentication_token": "p",
                "user": user(), "organizations": []}),
            "organization_selection_required",
        ),
    ];
    for (status, body, code) in answers {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let client = scripted(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            (status, body.clone())
        })?;
        for _ in 0..3 {
            let error = ended(session(&client, "token").refresh().await);
            assert_eq!(error.code().map(ErrorCode::as_str), Some(code));
        }
        assert_eq!(requests.load(Ordering::SeqCst), 1, "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn new_tokens_are_handed_out_though_nobody_can_verify_them() -> Outcome {
    let app = start().await?;
    let session = sign_in(&app, "ada@example.com").await?;
    app.authkit.inject(Endpoint::Jwks, Fault::Status(503, None), usize::MAX);
    let session = keep(session.refresh().await?);
    let Err(NotActive::KeysUnavailable(rejected)) = session.check(&app.client.verifier()).await else {
        panic!("there are no keys")
    };
    let error = rejected.error();
    assert!(matches!(error.kind(), ErrorKind::KeysUnavailable) && error.is_transient());
    Ok(())
}

#[tokio::test]
async fn an_api_that_does_not_rotate_keeps_the_token() -> Outcome {
    let client = scripted(|request| {
        (200, response_in(request["refresh_token"].as_str().unwrap(), &request["organization_id"]))
    })?;
    let verifier = client.verifier();
    let session = keep(session(&client, "token").refresh().await?).check(&verifier).await?;
    let session = keep(session.switch_organization(OrganizationId::new("org_1")?).await?);
    let session = session.check(&verifier).await?;
    let parts = parts(session.switch_organization(OrganizationId::new("org_2")?).await?);
    assert_eq!(parts.organization_id.as_ref().map(OrganizationId::as_str), Some("org_2"));
    assert_eq!(parts.refresh_token.expose_secret(), "token");
    Ok(())
}

#[tokio::test]
async fn revoking_ends_the_session_without_a_browser() -> Outcome {
    let app = start().await?;
    let session = sign_in(&app, "ada@example.com").await?;
    let copy = again(&app.client, &session);
    let verifier = app.client.verifier();
    let once_more = again(&app.client, &session).check(&verifier).await?;
    let request = session.check(&verifier).await?.revoke();
    app.authkit.inject(Endpoint::RevokeSession, Fault::Status(400, None), 1);
    assert_eq!(request.send().await.unwrap_err().status().map(|status| status.as_u16()), Some(400));
    assert_reason(&once_more.revoke().send().await?, SignedOutReason::ByTheUser);
    assert!(matches!(ended(copy.refresh().await).kind(), ErrorKind::SignedOut), "without a request");
    Ok(())
}

#[test]
fn cookies_have_the_attributes_that_they_need() -> Outcome {
    let client = ConfidentialClient::new("client_123", "sk_example")?;
    let session = session(&client, "refresh");
    let set = cookie().set(&session)?;
    let attributes = set.expose_header().split_once("; ").unwrap().1.to_owned();
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=34560000");
    assert_eq!(set.name(), "wos-session");
    let local = cookie().served_at(&RedirectUri::new("http://localhost:8080/callback")?);
    assert!(!local.set(&session)?.expose_header().contains("Secure"));
    let remote = cookie().served_at(&RedirectUri::new("https://example.com/callback")?);
    assert!(remote.set(&session)?.expose_header().contains("; Secure"));
    let host = cookie().name("session")?.host_prefix().max_age(Duration::from_secs(60));
    assert_eq!(host.cookie_name(), "__Host-session");
    let evidence = cookie().open(&client, "changed").unwrap_err();
    assert_reason(&evidence, SignedOutReason::Unreadable);
    assert_eq!(
        host.clear(&evidence).expose_header(),
        "__Host-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"
    );
    assert_eq!(cookie().host_prefix().name("other")?.cookie_name(), "__Host-other");
    assert!(cookie().name("no spaces").is_err() && cookie().name("").is_err());
    Ok(())
}

#[test]
fn a_cookie_is_found_by_the_bytes_of_its_name() -> Outcome {
    let cookie = cookie().served_at(&RedirectUri::new("https://example.com/callback")?);
    assert_eq!(cookie.cookie_name(), "__Host-wos-session", "another host can't set it");
    for (line, value) in [
        ("__Host-wos-session=a", Some("a")),
        ("x=1;\t__Host-wos-session = a ; y=2", Some("a")),
        ("__Host-wos-session=a; __Host-wos-session=a", Some("a")),
        ("__Host-wos-session=a; __Host-wos-session=b", None),
        ("\u{2003}__Host-wos-session=a", None),
        ("__Host-wos-session\u{a0}=a", None),
        ("__host-wos-session=a; wos-session=a; x__Host-wos-session=a", None),
        ("__Host-wos-session=a\u{3000}", None),
        ("__Host-wos-session=\"a\"", None),
        ("__Host-wos-session", None),
        ("", None),
    ] {
        let mut headers = http::HeaderMap::new();
        headers.insert("cookie", http::HeaderValue::from_bytes(line.as_bytes())?);
        assert_eq!(cookie.value(&headers), value, "{line}");
    }
    Ok(())
}

#[test]
fn a_cookie_that_browsers_would_drop_is_an_error() -> Outcome {
    let client = ConfidentialClient::new("client_123", "sk_example")?;
    let mut sizes = (false, false);
    for length in (1_500..3_500).step_by(3) {
        let session = session(&client, &"t".repeat(length));
        let sealed = cookie().seal(&session)?;
        let bytes = "wos-session".len() + sealed.len();
        match cookie().set(&session) {
            Ok(_) => {
                assert!(bytes <= 4096);
                sizes.0 = true;
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Sealed(SealError::TooLarge { bytes: b }) if *b == bytes));
                assert!(bytes > 4096);
                sizes.1 = true;
            }
        }
    }
    assert_eq!(sizes, (true, true));
    Ok(())
}

fn reason(outcome: Result<OpenedSession<Confidential>, SignedOut>) -> SealError {
    let signed_out = outcome.map(drop).unwrap_err();
    assert_reason(&signed_out, SignedOutReason::Unreadable);
    match Error::from(signed_out).kind() {
        ErrorKind::Sealed(reason) => *reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_can_not_be_opened_has_its_reason() -> Outcome {
    let clock = clock();
    let client = confidential(NOWHERE).clock(clock.clone()).build()?;
    let session = session(&client, "refresh");
    let cookie = cookie();
    let sealed = cookie.seal(&session)?;
    assert_eq!(cookie.open(&client, &sealed)?.into_unverified_parts().user.email, "ada@example.com");

    assert_reason(&cookie.open(&client, "").unwrap_err(), SignedOutReason::NotFound);

    let other = CookiePassword::new("another-random-password-of-32-characters")?;
    let another = SessionCookie::new(other)?;
    assert_eq!(reason(another.open(&client, &sealed)), SealError::BadMac);
    assert_eq!(
        reason(another.open(&client, &sealed.replacen("Fe26.2*1*", "Fe26.2*2*", 1))),
        SealError::WrongPassword,
        "it names a password that nobody here has"
    );
    for (what, changed, expected) in [
        ("version 1", sealed.replace("~2", "~1"), SealError::UnknownVersion),
        ("version 3", sealed.replace("~2", "~3"), SealError::UnknownVersion),
        ("an empty version", sealed.replace("~2", "~"), SealError::UnknownVersion),
        ("two versions", sealed.replace("~2", "~2~2"), SealError::Malformed),
        ("another format", sealed.replacen("Fe26.2", "Fe26.3", 1), SealError::UnknownVersion),
        ("no format", sealed.replacen("Fe26.2", "fe26.2", 1), SealError::Malformed),
        ("cut", sealed[..sealed.len() - 5].to_owned(), SealError::Malformed),
        ("too many parts", sealed.replace("~2", "*~2"), SealError::Malformed),
        ("another expiration", sealed.replace("**", "*99999999999999*"), SealError::BadMac),
    ] {
        assert_eq!(reason(cookie.open(&client, &changed)), expected, "{what}");
    }
    assert!(cookie.open(&client, sealed.trim_end_matches("~2")).is_ok(), "old writers name no version");

    let short = self::cookie().lifetime(Duration::from_secs(60));
    let sealed = short.seal(&session)?;
    clock.advance(Duration::from_secs(120));
    assert!(short.open(&client, &sealed).is_ok(), "clocks differ by a minute");
    clock.advance(Duration::from_millis(1));
    assert_eq!(reason(short.open(&client, &sealed)), SealError::Expired);
    Ok(())
}

#[test]
fn passwords_are_rotated() -> Outcome {
    let client = ConfidentialClient::new("client_123", "sk_example")?;
    let old = cookie();
    let password = CookiePassword::generate()?;
    assert!(password.expose_secret().len() >= 43);
    assert_ne!(password.expose_secret(), CookiePassword::generate()?.expose_secret());
    let both = SessionCookie::new(password)?.retired_password(CookiePassword::new(COOKIE_PASSWORD)?)?;
    let sealed = old.seal(&session(&client, "refresh"))?;
    let session = both.open(&client, &sealed)?;
    let sealed = both.seal(&session)?;
    assert_eq!(reason(old.open(&client, &sealed)), SealError::BadMac, "the first one seals");
    assert!(both.open(&client, &sealed).is_ok());
    Ok(())
}

/// As in iron-session's `{1: old, 2: new}`.
#[test]
fn a_password_has_the_id_that_the_application_gave_it() -> Outcome {
    const NEW: &str = "another-random-password-of-over-32-characters";
    let client = ConfidentialClient::new("client_123", "sk_example")?;
    let old = || CookiePassword::new(COOKIE_PASSWORD).unwrap().with_id("1").unwrap();
    let new = || CookiePassword::new(NEW).unwrap().with_id("key_2026").unwrap();
    let sealed_before = SessionCookie::new(old())?.seal(&session(&client, "first"))?;
    assert!(sealed_before.starts_with("Fe26.2*1*"));
    let both = SessionCookie::new(new())?.retired_password(old())?;
    let sealed = both.seal(&session(&client, "second"))?;
    assert!(sealed.starts_with("Fe26.2*key_2026*"), "{sealed}");
    for (sealed, token) in [(&sealed_before, "first"), (&sealed, "second")] {
        assert_eq!(both.open(&client, sealed)?.into_unverified_parts().refresh_token.expose_secret(), token);
    }
    // An ID that is known means a change, or another password of the same name; one that isn't, another password.
    let third = |id: &str| CookiePassword::new("x".repeat(32)).and_then(|password| password.with_id(id)).unwrap();
    assert_eq!(reason(SessionCookie::new(third("key_2026"))?.open(&client, &sealed)), SealError::BadMac);
    assert_eq!(reason(SessionCookie::new(third("3"))?.open(&client, &sealed)), SealError::WrongPassword);
    // The ID is under the MAC.
    assert_eq!(reason(both.open(&client, &sealed.replacen("*key_2026*", "*1*", 1))), SealError::BadMac);

    for id in ["", "a*b", "a b", "é", "a-b", &"a".repeat(33)] {
        let error = CookiePassword::new(NEW)?.with_id(id).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidValue { field: "cookie_password_id", .. }), "{id}");
    }
    Ok(())
}

#[test]
fn no_flipped_bit_opens() -> Outcome {
    let client = ConfidentialClient::new("client_123", "sk_example")?;
    let (cookie, session) = (cookie(), session(&client, "refresh"));
    let sealed = cookie.seal(&session)?;
    let mut refused = 0;
    for index in 0..sealed.len() {
        for bit in 0..8 {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[index] ^= 1 << bit;
            // A cookie is text: anything but UTF-8 never gets here.
            let changed = String::from_utf8_lossy(&bytes).into_owned();
            assert!(cookie.open(&client, &changed).is_err(), "bit {bit} of byte {index}");
            refused += 1;
        }
    }
    assert_eq!(refused, sealed.len() * 8);
    Ok(())
}
