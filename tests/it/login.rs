//! Whole logins on the in-process AuthKit, over real HTTP, and what it refuses.

use std::process::Command;
use std::time::Duration;

use workos_auth::error::CallbackError;
use workos_auth::secret::State;
use workos_auth::testing::{AuthKit, Browser, BrowserError, Endpoint, TestUser};
use workos_auth::typestate::HasClientId;
use workos_auth::{
    AuthenticationResponse, Callback, Client, Error, ErrorCode, ErrorKind, ExposeSecret, OrganizationId, RedirectUri,
    RefreshToken,
};

use crate::support::Outcome;
use crate::support::login::{in_browser, redirect, rejection, state};

const ADA: &str = "ada@example.com";

async fn sign_in<K: HasClientId>(client: &Client<K>) -> Outcome<AuthenticationResponse> {
    in_browser(client, ADA).await
}

fn code(error: impl Into<Error>) -> Option<ErrorCode> {
    error.into().code().cloned()
}

async fn refresh<K: HasClientId>(client: &Client<K>, token: &str) -> Result<String, Error> {
    let response = client.authenticate_with_refresh_token(RefreshToken::new(token)).send().await?;
    Ok(response.refresh_token.expose_secret().to_owned())
}

#[tokio::test]
async fn both_kinds_of_client_sign_in_and_refresh() -> Outcome {
    let authkit = AuthKit::start().await?;
    let public = sign_in(&authkit.public_client()).await?;
    let confidential_client = authkit.confidential_client();
    let confidential = sign_in(&confidential_client).await?;
    for response in [&public, &confidential] {
        assert_eq!(response.user.email, ADA);
        assert_eq!(response.user.name.as_deref(), Some("Ada Lovelace"));
        assert!(response.impersonator.is_none());
    }
    let old = confidential.refresh_token.expose_secret().to_owned();
    let new = refresh(&confidential_client, &old).await?;
    assert_ne!(old, new);
    Ok(())
}

#[tokio::test]
async fn a_forged_state_and_a_forged_error_keep_the_login_alive() -> Outcome {
    let authkit = AuthKit::start().await?;
    let session = authkit.public_client().authorize(redirect()).authkit().begin()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;

    let mut session = session;
    for (forged, expected) in [
        ("/callback?code=evil&state=forged", CallbackError::StateMismatch),
        ("/callback?error=access_denied&state=forged", CallbackError::StateMismatch),
        ("/callback?code=evil", CallbackError::MissingState),
        ("/callback?error=access_denied", CallbackError::MissingState),
    ] {
        let rejected = session.exchange(Callback::from_url(forged)?).unwrap_err();
        assert!(matches!(rejected.error().kind(), ErrorKind::Callback(error) if *error == expected), "{rejected:?}");
        session = rejected.recover()?;
    }
    assert_eq!(authkit.requests_to(Endpoint::Authenticate), 0, "nothing is sent for a forged callback");

    let response = session.exchange(Callback::from_url(&callback)?)?.send().await?;
    assert_eq!(response.user.email, ADA);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_sign_in_is_a_typed_error_and_may_be_tried_again() -> Outcome {
    let authkit = AuthKit::start().await?;
    let session = authkit.public_client().authorize(redirect()).authkit().begin()?;
    let browser = Browser::new()?;
    let cancelled = browser.cancel(session.url().as_str()).await?;
    let rejected = session.exchange(Callback::from_url(&cancelled)?).unwrap_err();
    let denied = CallbackError::Authorization("access_denied".into());
    assert!(matches!(rejected.error().kind(), ErrorKind::Callback(error) if *error == denied), "{rejected:?}");

    let session = rejected.recover()?;
    let callback = browser.sign_in(session.url().as_str(), ADA).await?;
    drop(session.exchange(Callback::from_url(&callback)?)?.send().await?);
    Ok(())
}

#[tokio::test]
async fn the_state_and_the_redirect_uri_come_back_as_they_were_sent() -> Outcome {
    let authkit = AuthKit::builder().redirect_uri("com.example.app:/callback?kept=1").start().await?;
    let redirect = RedirectUri::new("com.example.app:/callback?kept=1")?;
    let session = authkit.public_client().authorize(redirect).authkit().begin()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;
    assert!(callback.starts_with("com.example.app:/callback?kept=1&code="), "{callback}");
    drop(session.exchange(Callback::from_url(&callback)?)?.send().await?);

    let session = authkit.public_client().authorize(RedirectUri::new("http://127.0.0.1:1/other")?).authkit().begin()?;
    let refused = Browser::new()?.sign_in(session.url().as_str(), ADA).await.unwrap_err();
    assert!(matches!(refused, BrowserError::Refused { status: 400, .. }), "{refused:?}");
    assert_eq!(refused.to_string(), "the page was refused with status 400: The redirect URI is not allowed.");
    Ok(())
}

#[tokio::test]
async fn a_code_is_good_once_and_a_second_use_ends_the_session() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();
    let session = client.authorize(redirect()).authkit().begin_without_pkce()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;
    let stolen = Callback::from_url(&callback)?.code_for(&State::new(state(session.url())))?;
    let response = session.exchange(Callback::from_url(&callback)?)?.send().await?;

    let rejected = rejection(client.authenticate_with_code(stolen).send().await);
    assert_eq!(code(rejected), Some(ErrorCode::InvalidGrant));
    let rejected = rejection(client.authenticate_with_refresh_token(response.refresh_token).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::InvalidGrant));
    assert!(rejected.recover().is_err(), "the API said that the token is dead");
    Ok(())
}

#[tokio::test]
async fn a_code_of_one_login_is_worth_nothing_to_another() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.public_client();
    let browser = Browser::new()?;
    let (mine, other) =
        (client.authorize(redirect()).authkit().begin()?, client.authorize(redirect()).authkit().begin()?);
    let pair = |url: &str, name: &str| -> Option<String> {
        url::Url::parse(url).ok()?.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    // An attacker who injects a code and knows the victim's state still lacks the verifier (RFC 9700 §4.5).
    let injected = pair(&browser.sign_in(other.url().as_str(), ADA).await?, "code").ok_or("no code")?;
    let state = pair(mine.url().as_str(), "state").ok_or("no state")?;
    let callback = Callback::from_parts(injected, Some(State::new(state)));
    let rejected = rejection(mine.exchange(callback)?.send().await);
    assert_eq!(code(rejected), Some(ErrorCode::InvalidGrant));
    Ok(())
}

#[tokio::test]
async fn a_code_without_pkce_needs_the_secret_and_a_wrong_secret_is_refused() -> Outcome {
    let authkit = AuthKit::start().await?;
    let session = authkit
        .confidential_client()
        .with_api_key(workos_auth::secret::ApiKey::new("sk_wrong")?)
        .authorize(redirect())
        .authkit()
        .begin()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;
    let rejected = rejection(session.exchange(Callback::from_url(&callback)?)?.send().await);
    assert_eq!(rejected.error().status().map(|status| status.as_u16()), Some(401));
    assert!(rejected.error().request_id().is_some_and(|id| id.starts_with("req_")));

    // A public client can't use the session of a confidential one.
    let response = sign_in(&authkit.confidential_client()).await?;
    let rejected =
        rejection(authkit.public_client().authenticate_with_refresh_token(response.refresh_token).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::InvalidClient));
    assert!(rejected.recover().is_ok(), "the token itself is alive");
    Ok(())
}

#[tokio::test]
async fn codes_expire() -> Outcome {
    let authkit = AuthKit::start().await?;
    let session = authkit.public_client().authorize(redirect()).authkit().begin()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;
    authkit.advance(Duration::from_secs(601));
    let rejected = rejection(session.exchange(Callback::from_url(&callback)?)?.send().await);
    assert_eq!(code(rejected), Some(ErrorCode::InvalidGrant));
    Ok(())
}

#[tokio::test]
async fn a_refresh_token_rotates_and_replays_for_thirty_seconds() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.public_client();
    let first = sign_in(&client).await?.refresh_token.expose_secret().to_owned();
    let second = refresh(&client, &first).await?;
    assert_ne!(first, second);
    authkit.advance(Duration::from_secs(20));
    assert_eq!(refresh(&client, &first).await?, second, "a lost reply can be had again");
    authkit.advance(Duration::from_secs(11));
    assert_eq!(code(refresh(&client, &first).await.unwrap_err()), Some(ErrorCode::InvalidGrant));
    assert_ne!(refresh(&client, &second).await?, second);
    assert_eq!(code(refresh(&client, "unknown").await.unwrap_err()), Some(ErrorCode::InvalidGrant));
    Ok(())
}

#[tokio::test]
async fn a_refresh_switches_the_organization_for_members() -> Outcome {
    let ada = TestUser::new(ADA).organization("org_1").organization("org_2");
    let authkit = AuthKit::builder().user(ada).start().await?;
    let client = authkit.public_client();
    let response = sign_in(&client).await?;
    assert_eq!(response.organization_id, Some(OrganizationId::new("org_1")?));

    let grant = client.authenticate_with_refresh_token(response.refresh_token).organization("org_2".parse()?);
    let response = grant.send().await?;
    assert_eq!(response.organization_id, Some(OrganizationId::new("org_2")?));

    let grant = client.authenticate_with_refresh_token(response.refresh_token).organization("org_3".parse()?);
    let rejected = rejection(grant.send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::OrganizationMembershipNotFound));
    let token = rejected.recover()?.into_token();
    drop(client.authenticate_with_refresh_token(token).send().await?);
    Ok(())
}

#[tokio::test]
async fn an_impersonation_is_accepted_and_nothing_else_without_a_state() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();
    let callback = authkit.impersonate(ADA, "support@example.com", Some("ticket 7"), redirect().as_str())?;

    let session = client.authorize(redirect()).authkit().begin()?;
    let rejected = session.exchange(Callback::from_url(&callback)?).unwrap_err();
    assert!(matches!(rejected.error().kind(), ErrorKind::Callback(CallbackError::MissingState)));

    let response = client.accept_impersonation(Callback::from_url(&callback)?)?.send().await?;
    let impersonator = response.impersonator.ok_or("no impersonator")?;
    assert_eq!(
        (impersonator.email.as_str(), impersonator.reason.as_deref()),
        ("support@example.com", Some("ticket 7"))
    );

    // A code of the attacker's own login, planted without its state: login CSRF.
    let attackers = client.authorize(redirect()).authkit().begin_without_pkce()?;
    let planted = Browser::new()?.sign_in(attackers.url().as_str(), ADA).await?;
    let error = client.accept_impersonation(Callback::from_url(&planted)?).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Callback(CallbackError::UnexpectedState)));
    let stateless = planted.split("&state=").next().unwrap_or_default();
    let rejected = client.accept_impersonation(Callback::from_url(stateless)?)?.send().await.unwrap_err();
    assert!(matches!(rejected.error().kind(), ErrorKind::NotImpersonated), "{rejected:?}");
    Ok(())
}

#[tokio::test]
async fn the_example_prints_its_transcript_and_ends_by_itself() -> Outcome {
    // Beside the test binary's folder; `cargo test` builds the examples first.
    let binary = std::env::current_exe()?.ancestors().nth(2).ok_or("no target folder")?.join("examples/login");
    let output = Command::new(binary)
        .env_remove("WORKOS_CLIENT_ID")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .output()?;
    let transcript = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{transcript}");
    for line in
        ["Open       http://127.0.0.1:", "Signed in  Ada Lovelace <ada@example.com> (user_", "Session    session_"]
    {
        assert!(transcript.contains(line), "{line} is missing in {transcript}");
    }
    assert_eq!(transcript.matches(&*between(&transcript, "Session    ", "\n")?).count(), 2, "{transcript}");
    Ok(())
}

fn between(text: &str, start: &str, end: &str) -> Outcome<String> {
    let rest = text.split_once(start).ok_or("no start")?.1;
    Ok(rest.split_once(end).ok_or("no end")?.0.to_owned())
}

#[tokio::test]
async fn the_test_server_s_own_pages_are_careful() -> Outcome {
    let authkit = AuthKit::start().await?;
    let session =
        authkit.public_client().authorize(redirect()).authkit().login_hint("\"><script>alert(1)</script>").begin()?;
    let (status, page) = Browser::new()?.visit(session.url().as_str()).await?;
    assert_eq!(status, 200);
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"), "{page}");

    let url = session.url().as_str();
    for (broken, expected) in [
        (url.replace("client_id=client_test_authkit", "client_id=client_other"), 400),
        (url.replace("127.0.0.1%3A8080", "evil.example"), 400),
        (format!("{url}&state=again"), 400),
    ] {
        let (status, _) = Browser::new()?.visit(&broken).await?;
        assert_eq!(status, expected, "{broken}");
    }
    let downgraded = url.replace("code_challenge_method=S256", "code_challenge_method=plain");
    let callback = Browser::new()?.sign_in(&downgraded, ADA).await?;
    assert!(callback.contains("error=invalid_request"), "{callback}");
    let elsewhere = Browser::new()?.visit("https://example.com/").await.unwrap_err();
    assert!(matches!(elsewhere, BrowserError::NotLoopback));
    Ok(())
}

#[tokio::test]
async fn access_tokens_are_signed_with_the_published_key() -> Outcome {
    let ada = TestUser::new(ADA).organization("org_1").role("admin").permission("posts:write");
    let authkit = AuthKit::builder().user(ada).access_token_lifetime(Duration::from_secs(120)).start().await?;
    let response = sign_in(&authkit.public_client()).await?;
    let url = format!("{}/sso/jwks/{}", authkit.base_url(), authkit.client_id());
    let (status, keys) = Browser::new()?.visit(&url).await?;
    assert_eq!(status, 200);
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&keys)?;
    let token = response.access_token.expose_secret();
    let kid = jsonwebtoken::decode_header(token)?.kid.ok_or("no kid")?;
    let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&kid).ok_or("no such key")?)?;
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_issuer(&[authkit.base_url()]);
    let claims = jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation)?.claims;
    assert_eq!(claims["sub"], response.user.id.as_str());
    assert_eq!(claims["org_id"], "org_1");
    assert_eq!(claims["permissions"], serde_json::json!(["posts:write"]));
    let lifetime = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat);
    assert_eq!(lifetime, Some(120));
    Ok(())
}
