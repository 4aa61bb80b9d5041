//! The AuthKit for the tests of applications, as these use it.

use std::time::{Duration, SystemTime};

use workos_auth::session::{MemorySessionStore, NotActive};
use workos_auth::testing::{AuthKit, ManualClock};
use workos_auth::{ErrorCode, ExposeSecret, RefreshToken, SessionManager, SessionState};

use crate::support::Outcome;
use crate::support::login::{in_browser, rejection};
use crate::support::session::keep;

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn time_passes_for_the_server_and_for_the_clients_that_it_made() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();
    let verifier = client.verifier();
    let session = client.session(in_browser(&client, ADA).await?);
    let elsewhere = authkit.public_client();
    let refresh_token = in_browser(&elsewhere, ADA).await?.refresh_token;

    authkit.advance(Duration::from_secs(301));
    let Err(NotActive::Expired(expired)) = session.check(&verifier).await else { panic!("it is expired") };
    let refreshed = keep(expired.refresh().await?).check(&verifier).await?;
    assert_eq!((refreshed.user().email.as_str(), authkit.refreshes()), (ADA, 1));

    // A replay of a refresh is possible for 30 s of the same time.
    let token = || RefreshToken::new(refresh_token.expose_secret());
    let newer = elsewhere.authenticate_with_refresh_token(token()).send().await?.refresh_token;
    let replayed = authkit.public_client().authenticate_with_refresh_token(token()).send().await?.refresh_token;
    assert_eq!(replayed.expose_secret(), newer.expose_secret());
    authkit.advance(Duration::from_secs(31));
    let refused = rejection(authkit.public_client().authenticate_with_refresh_token(token()).send().await);
    assert_eq!(refused.error().code(), Some(&ErrorCode::InvalidGrant));
    Ok(())
}

#[tokio::test]
async fn a_session_in_a_store_is_refreshed_when_its_token_expires() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();
    let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
    let handle = sessions.sign_in(in_browser(&client, ADA).await?).await?;
    assert!(matches!(sessions.authenticate(&handle).await, SessionState::Active(_)));
    assert_eq!(authkit.refreshes(), 0);
    authkit.advance(Duration::from_secs(301));
    assert!(matches!(sessions.authenticate(&handle).await, SessionState::Active(_)));
    assert_eq!(authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn each_client_is_one_of_its_own_and_they_share_the_clock_that_was_given() -> Outcome {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let clock = ManualClock::new(start);
    let authkit = AuthKit::builder().clock(clock.clone()).start().await?;
    let (one, other) = (authkit.confidential_client(), authkit.confidential_client());
    let response = in_browser(&one, ADA).await?;
    for client in [&one, &one, &other] {
        let token = client.verifier().verify(&response.access_token).await?;
        assert_eq!(token.issued_at().map(SystemTime::from), Some(start));
    }
    assert_eq!(authkit.requests_to(&authkit.jwks_path()), 2, "each client fetches the keys for itself");
    clock.advance(Duration::from_secs(10));
    assert_eq!(authkit.clock().now(), start + Duration::from_secs(10));
    assert_eq!((one.client_id().as_str(), one.base_url()), (authkit.client_id(), authkit.base_url()));
    Ok(())
}

#[tokio::test]
async fn an_authkit_that_no_client_could_use_does_not_start() {
    for builder in [AuthKit::builder().client_id(""), AuthKit::builder().api_key("")] {
        let error = builder.start().await.unwrap_err().to_string();
        assert!(error.contains("client_id") || error.contains("api_key"), "{error}");
    }
}
