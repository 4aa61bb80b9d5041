//! The polling of a device login (RFC 8628 §3.5) against a scripted server, on a virtual clock.

use std::error::Error as StdError;
use std::time::Duration;

use workos_auth::login::{DeviceLogin, NotFinished};
use workos_auth::testing::ManualClock;
use workos_auth::{Error, ErrorCode, ErrorKind, Public, Step};

use crate::support::Outcome;
use crate::support::clients::{clock, public};
use crate::support::login::{next_step, rejection};
use crate::support::raw::{Answer, RawServer, SIGNED_IN};

fn authorization(uri: &str, rest: &str) -> Answer {
    let body = format!(r#"{{"device_code":"dc","user_code":"ABCD","verification_uri":"{uri}"{rest}}}"#);
    Answer::json(200, &body)
}

fn error(code: &str) -> Answer {
    Answer::json(400, &format!(r#"{{"error":"{code}","error_description":"d"}}"#))
}

async fn begin(rest: &str, polls: &[Answer]) -> Result<(RawServer, ManualClock, DeviceLogin<Public>), Error> {
    let mut answers = vec![authorization("https://example.com/device", rest)];
    answers.extend_from_slice(polls);
    let server = RawServer::start(answers).await.unwrap();
    let clock = clock();
    let client = public(server.base_url()).timeout(Duration::from_secs(1)).clock(clock.clone()).build()?;
    let login = client.device_authorization().send().await?;
    Ok((server, clock, login))
}

fn seconds(waits: &[u64]) -> Vec<Duration> {
    waits.iter().copied().map(Duration::from_secs).collect()
}

#[tokio::test]
async fn the_waits_follow_the_server() -> Outcome {
    let pending = error("authorization_pending");
    let polls = [
        pending.clone(),
        pending.clone(),
        pending,
        error("slow_down"),
        Answer::json(503, "{}"),
        Answer::json(200, SIGNED_IN),
    ];
    let (server, clock, login) = begin(r#","expires_in":300,"interval":5"#, &polls).await?;
    let response = login.wait().await?;
    assert_eq!(response.user.email, "ada@example.com");
    assert_eq!(clock.waits(), seconds(&[5, 5, 5, 10, 10]));
    assert_eq!(server.requests().len(), 1 + 6);
    Ok(())
}

#[tokio::test]
async fn a_lost_reply_doubles_the_interval_and_a_429_is_obeyed() -> Outcome {
    let polls = [
        Answer::Close,
        Answer::Stall,
        Answer::with_headers(429, "retry-after: 30\r\n", "{}"),
        Answer::json(200, SIGNED_IN),
    ];
    // No interval in the reply: 5 s.
    let (server, clock, login) = begin(r#","expires_in":300"#, &polls).await?;
    drop(login.wait().await?);
    assert_eq!(clock.waits(), seconds(&[10, 20, 30]));
    assert_eq!(server.requests().len(), 1 + 4, "each poll is one request");
    Ok(())
}

#[tokio::test]
async fn nothing_is_polled_after_the_deadline() -> Outcome {
    let (server, clock, login) = begin(r#","expires_in":12,"interval":5"#, &[error("authorization_pending")]).await?;
    let rejected = rejection(login.wait().await);
    assert!(matches!(rejected.error().kind(), ErrorKind::DeviceLoginExpired));
    assert!(rejected.recover().is_err());
    // At 0, 5 and 10 s; the next would have been at 15.
    assert_eq!(clock.waits(), seconds(&[5, 5]));
    assert_eq!(server.requests().len(), 1 + 3);

    let (server, clock, login) = begin(r#","expires_in":12"#, &[error("authorization_pending")]).await?;
    clock.advance(Duration::from_secs(12));
    assert!(matches!(login.poll().await.unwrap_err().error().kind(), ErrorKind::DeviceLoginExpired));
    assert_eq!(server.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_poll_before_the_user_has_finished_gives_the_login_back() -> Outcome {
    let polls = [error("authorization_pending"), error("slow_down"), Answer::json(200, SIGNED_IN)];
    let (server, clock, mut login) = begin(r#","expires_in":300,"interval":5"#, &polls).await?;
    for interval in [5, 10] {
        let not_finished = login.poll().await.unwrap_err();
        let told = not_finished.error();
        assert!(matches!(told.kind(), ErrorKind::Unfinished(ErrorCode::AuthorizationPending)), "{told:?}");
        assert_eq!(not_finished.to_string(), "the login is not finished: authorization_pending");
        assert!(not_finished.source().is_none());
        let NotFinished::Pending(pending) = not_finished else { panic!("{not_finished:?}") };
        assert_eq!(pending.interval(), Duration::from_secs(interval));
        login = pending;
    }
    assert_eq!(login.poll().await?.user.email, "ada@example.com");
    assert_eq!(
        (server.requests().len(), clock.waits().len()),
        (1 + 3, 0),
        "nobody waits for those who poll themselves"
    );
    Ok(())
}

#[tokio::test]
async fn a_poll_that_failed_or_found_a_step_is_not_pending() -> Outcome {
    let step = Answer::json(
        403,
        r#"{"code":"organization_selection_required","message":"m","pending_authentication_token":"pending",
            "organizations":[{"id":"org_1","name":"One"}]}"#,
    );
    let (_server, _clock, login) = begin(r#","expires_in":300"#, &[Answer::Close, error("access_denied")]).await?;
    let NotFinished::NotSignedIn(lost) = login.poll().await.unwrap_err() else { panic!("it is not pending") };
    let login = rejection(Err(lost)).recover()?;
    let denied = login.poll().await.unwrap_err();
    assert_eq!(Error::from(denied).code(), Some(&ErrorCode::AccessDenied));
    for waits in [true, false] {
        let (_server, _clock, login) = begin(r#","expires_in":300"#, std::slice::from_ref(&step)).await?;
        let not_signed_in = if waits {
            login.wait().await.unwrap_err()
        } else {
            let NotFinished::NotSignedIn(found) = login.poll().await.unwrap_err() else { panic!("it is not pending") };
            found
        };
        assert!(matches!(next_step(Err(not_signed_in)), Step::OrganizationSelection(_)));
    }
    Ok(())
}

/// The largest number of seconds that a `Duration` holds, and those beyond it.
const ENDLESS: [&str; 4] = ["18446744073709549568", "18446744073709551615", "1.8e19", "1e300"];

#[tokio::test]
async fn a_login_that_never_ends_is_waited_for() -> Outcome {
    for endless in ENDLESS {
        let polls = [error("authorization_pending"), Answer::json(200, SIGNED_IN)];
        let answers = [authorization("https://example.com/device", &format!(r#","expires_in":{endless}"#))];
        let server = RawServer::start([&answers[..], &polls[..]].concat()).await?;
        let clock = clock();
        clock.advance(Duration::from_secs(3_600));
        let client = public(server.base_url()).clock(clock.clone());
        let login = client.build()?.device_authorization().send().await?;
        assert!(login.expires_in() > Duration::from_secs(1_000_000_000), "{endless}: {:?}", login.expires_in());
        // Applications that poll by themselves add it to their own clock.
        let _ = std::time::Instant::now() + login.expires_in();
        assert_eq!(login.wait().await?.user.email, "ada@example.com", "{endless}");
        assert_eq!(clock.waits(), seconds(&[5]));
    }
    Ok(())
}

#[tokio::test]
async fn a_pause_that_never_ends_ends_the_login() -> Outcome {
    for endless in ENDLESS {
        let rest = format!(r#","expires_in":300,"interval":{endless}"#);
        let (server, clock, login) = begin(&rest, &[error("slow_down"), error("authorization_pending")]).await?;
        clock.advance(Duration::from_secs(100));
        let _ = std::time::Instant::now() + login.interval();
        let rejected = rejection(login.wait().await);
        assert!(matches!(rejected.error().kind(), ErrorKind::DeviceLoginExpired), "{endless}: {rejected:?}");
        assert_eq!((server.requests().len(), clock.waits().len()), (2, 0));
    }
    for endless in ["18446744073709551615", "18446744073709551616", "99999999999999999999999999"] {
        for status in [429, 503] {
            let later = Answer::with_headers(status, &format!("retry-after: {endless}\r\n"), "{}");
            let polls = [error("authorization_pending"), later.clone()];
            let (server, clock, login) = begin(r#","expires_in":300"#, &polls).await?;
            let rejected = rejection(login.wait().await);
            assert!(matches!(rejected.error().kind(), ErrorKind::DeviceLoginExpired), "{endless}: {rejected:?}");
            assert_eq!((server.requests().len(), clock.waits()), (3, seconds(&[5])));

            let (_server, _clock, login) = begin(r#","expires_in":300"#, &[later]).await?;
            let pause = login.poll().await.unwrap_err().error().retry_after().ok_or("no advice")?;
            assert!(pause > Duration::from_secs(1_000_000_000), "{endless}: {pause:?}");
            let _ = std::time::Instant::now() + pause;
        }
    }
    Ok(())
}

#[tokio::test]
async fn denied_and_expired_are_final() -> Outcome {
    for (code, expected) in [
        ("access_denied", ErrorCode::AccessDenied),
        ("expired_token", ErrorCode::ExpiredToken),
        ("invalid_grant", ErrorCode::InvalidGrant),
    ] {
        let (server, clock, login) = begin(r#","expires_in":300"#, &[error(code)]).await?;
        let rejected = rejection(login.wait().await);
        assert_eq!(rejected.error().code(), Some(&expected));
        assert!(rejected.recover().is_err());
        assert_eq!((server.requests().len(), clock.waits().len()), (2, 0));
    }
    Ok(())
}

#[tokio::test]
async fn the_user_is_sent_to_https_alone() -> Outcome {
    for (uri, trusted) in [
        ("https://example.com/device", true),
        ("http://127.0.0.1:1/device", true),
        ("http://example.com/device", false),
        ("javascript:alert(1)", false),
        ("device", false),
    ] {
        let server = RawServer::start([authorization(uri, r#","expires_in":300"#)]).await?;
        let client = public(server.base_url()).build()?;
        match client.device_authorization().send().await {
            Ok(login) => {
                assert!(trusted, "{uri}");
                assert_eq!(login.verification_uri().as_str(), uri);
            }
            Err(error) => {
                assert!(!trusted, "{uri}: {error:?}");
                assert!(matches!(error.kind(), ErrorKind::InvalidValue { field: "verification_uri", .. }));
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_dropped_wait_polls_no_more() -> Outcome {
    let (server, _clock, login) = begin(r#","expires_in":300"#, &[Answer::Stall]).await?;
    let dropped = tokio::time::timeout(Duration::from_millis(200), login.wait()).await;
    assert!(dropped.is_err());
    let polled = server.requests().len();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(server.requests().len(), polled);
    Ok(())
}
