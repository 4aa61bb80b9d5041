//! What replies are read as, through a transport of the test's own.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use workos_auth::login::AuthenticationMethod;
use workos_auth::transport::TransportError;
use workos_auth::{
    AuthenticationResponse, CodeExchange, Confidential, ConfidentialClient, Error, ErrorCode, ErrorKind, ExposeSecret,
    NotSignedIn, Provider, RefreshToken, Step,
};

use crate::support::Outcome;
use crate::support::clients::{NOWHERE, clock_at, confidential};
use crate::support::login::{authorization_code, next_step, rejection};

const USER: &str = r#""id":"user_01","email":"ada@example.com","email_verified":true,
    "created_at":"2026-01-15T12:00:00.000Z","updated_at":"2026-01-16T12:00:00.000Z""#;

/// A client whose every request gets this reply.
fn client(status: u16, headers: &'static [(&str, &str)], body: impl Into<String>) -> ConfidentialClient {
    let body = Bytes::from(body.into());
    confidential(NOWHERE)
        .clock(clock_at("2026-01-02T03:04:05Z"))
        .build_with(move |_request| {
            let mut reply = http::Response::builder().status(status);
            for (name, value) in headers {
                reply = reply.header(*name, *value);
            }
            let reply = reply.body(body.clone());
            async move { reply.map_err(TransportError::interrupted) }
        })
        .unwrap()
}

async fn exchange(
    status: u16,
    body: impl Into<String>,
) -> Result<AuthenticationResponse, NotSignedIn<CodeExchange<Confidential>>> {
    client(status, &[], body).authenticate_with_code(authorization_code("the-code")).send().await
}

async fn complete(body: impl Into<String>) -> Result<AuthenticationResponse, Error> {
    Ok(exchange(200, body).await?)
}

async fn refusal(status: u16, body: impl Into<String>) -> Error {
    rejection(exchange(status, body).await).into()
}

fn timestamp(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn every_field_is_read() -> Outcome {
    let response = complete(
        r#"{
        "user": {
            "object": "user", "id": "user_01", "email": "ada@example.com", "email_verified": true,
            "name": "Ada Lovelace", "first_name": "Ada", "last_name": "Lovelace",
            "profile_picture_url": "https://example.com/ada.png", "locale": "en-GB", "external_id": "ext-1",
            "metadata": {"timezone": "Europe/London", "ключ": "значение"},
            "last_sign_in_at": "2026-01-14T12:00:00.123Z",
            "created_at": "2026-01-15T12:00:00.000Z", "updated_at": "2026-01-16T12:00:00.000Z",
            "unknown": {"ignored": true}
        },
        "organization_id": "org_01", "access_token": "access", "refresh_token": "refresh",
        "authentication_method": "GoogleOAuth", "authkit_authorization_code": "other-app",
        "impersonator": {"email": "support@example.com", "reason": "ticket 7"},
        "oauth_tokens": {"provider": "GoogleOAuth", "access_token": "p-access", "refresh_token": "p-refresh",
                         "expires_at": 1735141800, "scopes": ["openid", "email"]},
        "sealed_session": "ignored", "unknown": [1, 2]
    }"#,
    )
    .await?;
    let user = &response.user;
    assert_eq!((user.id.as_str(), user.email.as_str(), user.email_verified), ("user_01", "ada@example.com", true));
    assert_eq!(user.name.as_deref(), Some("Ada Lovelace"));
    assert_eq!((user.first_name.as_deref(), user.last_name.as_deref()), (Some("Ada"), Some("Lovelace")));
    assert_eq!(user.profile_picture_url.as_deref(), Some("https://example.com/ada.png"));
    assert_eq!((user.locale.as_deref(), user.external_id.as_deref()), (Some("en-GB"), Some("ext-1")));
    assert_eq!(user.metadata.get("ключ").map(String::as_str), Some("значение"));
    assert_eq!(user.last_sign_in_at, Some(timestamp("2026-01-14T12:00:00.123Z")));
    assert_eq!(user.created_at, timestamp("2026-01-15T12:00:00Z"));
    assert_eq!(user.updated_at, timestamp("2026-01-16T12:00:00Z"));
    assert_eq!(response.organization_id.as_ref().map(workos_auth::OrganizationId::as_str), Some("org_01"));
    assert_eq!(response.access_token.expose_secret(), "access");
    assert_eq!(response.refresh_token.expose_secret(), "refresh");
    assert_eq!(response.authentication_method, Some(AuthenticationMethod::GoogleOAuth));
    assert_eq!(response.authkit_authorization_code.ok_or("missing")?.expose_secret(), "other-app");
    let impersonator = response.impersonator.ok_or("missing")?;
    assert_eq!(impersonator.email, "support@example.com");
    assert_eq!(impersonator.reason.as_deref(), Some("ticket 7"));
    let tokens = response.oauth_tokens.ok_or("missing")?;
    assert_eq!(tokens.provider, Provider::Google);
    assert_eq!(tokens.access_token.expose_secret(), "p-access");
    assert_eq!(tokens.refresh_token.ok_or("missing")?.expose_secret(), "p-refresh");
    assert_eq!(tokens.expires_at, Some(Timestamp::from_second(1_735_141_800)?));
    assert_eq!(tokens.scopes, ["openid", "email"]);
    Ok(())
}

#[tokio::test]
async fn null_and_absent_mean_the_same() -> Outcome {
    let absent = format!(r#"{{"user":{{{USER}}},"access_token":"access","refresh_token":"refresh"}}"#);
    let null = format!(
        r#"{{"user":{{{USER},"name":null,"first_name":null,"last_name":null,"profile_picture_url":null,"locale":null,
        "external_id":null,"metadata":null,"last_sign_in_at":null}},"access_token":"access","refresh_token":"refresh",
        "organization_id":null,"authentication_method":null,"impersonator":null,"oauth_tokens":null,
        "authkit_authorization_code":null}}"#
    );
    for body in [absent, null] {
        let response = complete(body).await?;
        assert_eq!(response.user.name, None);
        assert!(response.user.metadata.is_empty());
        assert_eq!(response.user.last_sign_in_at, None);
        assert_eq!((response.organization_id, response.authentication_method), (None, None));
        assert_eq!(response.impersonator, None);
        assert!(response.oauth_tokens.is_none() && response.authkit_authorization_code.is_none());
    }
    let sparse = format!(
        r#"{{"user":{{{USER}}},"access_token":"a","refresh_token":"r","impersonator":{{"email":"e"}},
        "oauth_tokens":{{"provider":"GoogleOAuth","access_token":"p","refresh_token":null,"expires_at":null,
        "scopes":null}}}}"#
    );
    let response = complete(sparse).await?;
    assert_eq!(response.impersonator.ok_or("missing")?.reason, None);
    let tokens = response.oauth_tokens.ok_or("missing")?;
    assert!(tokens.refresh_token.is_none() && tokens.expires_at.is_none() && tokens.scopes.is_empty());
    Ok(())
}

#[tokio::test]
async fn unknown_values_of_open_enums_are_kept() -> Outcome {
    let body = format!(
        r#"{{"user":{{{USER}}},"access_token":"a","refresh_token":"r","authentication_method":"Telepathy",
        "oauth_tokens":{{"provider":"Tele\u0070athyOAuth","access_token":"p","scopes":[]}}}}"#
    );
    let response = complete(body).await?;
    let method = response.authentication_method.ok_or("missing")?;
    assert_eq!(method, AuthenticationMethod::Other("Telepathy".to_owned()));
    assert_eq!(serde_json::to_string(&method)?, "\"Telepathy\"");
    assert_eq!(response.oauth_tokens.ok_or("missing")?.provider.as_str(), "TelepathyOAuth");
    Ok(())
}

#[tokio::test]
async fn a_user_survives_a_round_trip() -> Outcome {
    let user = complete(format!(r#"{{"user":{{{USER}}},"access_token":"a","refresh_token":"r"}}"#)).await?.user;
    let kept: workos_auth::User = serde_json::from_str(&serde_json::to_string(&user)?)?;
    assert_eq!(kept, user);
    Ok(())
}

#[tokio::test]
async fn a_refresh_without_a_new_token_keeps_the_old_one() -> Outcome {
    for (given, expected) in [
        (r#","refresh_token":"new""#, "new"),
        (r#","refresh_token":"old""#, "old"),
        (r#","refresh_token":null"#, "old"),
        ("", "old"),
    ] {
        let body = format!(r#"{{"user":{{{USER}}},"access_token":"a"{given}}}"#);
        let grant = client(200, &[], body).authenticate_with_refresh_token(RefreshToken::new("old"));
        let response = grant.send().await?;
        assert_eq!(response.refresh_token.expose_secret(), expected, "{given}");
    }
    // For a code there is no old one.
    let error = complete(format!(r#"{{"user":{{{USER}}},"access_token":"a"}}"#)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnexpectedShape), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn all_three_envelopes_are_read() -> Outcome {
    for (status, body, expected) in [
        (400, r#"{"code":"invalid_credentials","message":"m"}"#, Some(ErrorCode::InvalidCredentials)),
        (400, r#"{"error":"invalid_grant","error_description":"m"}"#, Some(ErrorCode::InvalidGrant)),
        (401, r#"{"message":"m"}"#, None),
        (404, r#"{"message":"m"}"#, None),
        (
            422,
            r#"{"code":"invalid_request_parameters","message":"m","errors":[{}]}"#,
            Some(ErrorCode::InvalidRequestParameters),
        ),
        (400, r#"{"code":"brand_new","message":"m"}"#, Some(ErrorCode::Other("brand_new".to_owned()))),
        (400, r#"{"code":"invalid_client","error":"invalid_grant","message":"m"}"#, Some(ErrorCode::InvalidClient)),
    ] {
        let error = refusal(status, body).await;
        let ErrorKind::Api(api) = error.kind() else { panic!("{error:?}") };
        assert_eq!(api.code(), expected.as_ref());
        assert_eq!(error.code(), expected.as_ref());
        assert_eq!(api.message().ok_or("missing")?.expose_secret(), "m");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
        assert!(!error.is_transient());
    }
    Ok(())
}

#[tokio::test]
async fn errors_carry_what_the_caller_acts_on() -> Outcome {
    let throttled = |headers| {
        client(429, headers, r#"{"error":"too_many_requests","error_description":"slow"}"#)
            .authenticate_with_code(authorization_code("the-code"))
            .send()
    };
    let error = Error::from(rejection(throttled(&[("retry-after", "7"), ("x-request-id", "req_42")]).await));
    assert_eq!(error.code(), Some(&ErrorCode::TooManyRequests));
    assert_eq!(error.request_id(), Some("req_42"));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert!(error.is_transient());
    let error = Error::from(rejection(throttled(&[("retry-after", "Fri, 02 Jan 2026 03:04:35 GMT")]).await));
    // Three waits of 60 s at the most had the clock past that date.
    assert_eq!(error.retry_after(), Some(Duration::ZERO));
    assert_eq!(error.request_id(), None);
    Ok(())
}

#[tokio::test]
async fn odd_dates_of_a_provider_lose_nobody_a_login() -> Outcome {
    for (odd, expected) in [
        ("1767225600", timestamp("2026-01-01T00:00:00Z")),
        ("1767225600.9", timestamp("2026-01-01T00:00:00Z")),
        ("0", Timestamp::UNIX_EPOCH),
        ("18446744073709551615", Timestamp::MAX),
        ("1.8e19", Timestamp::MAX),
        ("-1e300", Timestamp::MIN),
    ] {
        let response = complete(format!(
            r#"{{"user":{{{USER}}},"access_token":"access","refresh_token":"refresh","oauth_tokens":{{
                "provider":"GoogleOAuth","access_token":"theirs","expires_at":{odd}}}}}"#
        ));
        let tokens = response.await?.oauth_tokens.ok_or("no tokens")?;
        assert_eq!(tokens.expires_at, Some(expected), "{odd}");
    }
    Ok(())
}

#[tokio::test]
async fn hostile_codes_and_request_ids_are_not_kept() -> Outcome {
    let long = "x".repeat(10_000);
    for code in ["the code was 123456", "", "a\\nb", long.as_str()] {
        let error = refusal(400, format!(r#"{{"code":"{code}","message":"m"}}"#)).await;
        assert_eq!(error.code(), None, "{error:?}");
    }
    let grant = client(400, &[("x-request-id", "id with spaces")], "{}");
    let rejected = rejection(grant.authenticate_with_code(authorization_code("the-code")).send().await);
    assert_eq!(rejected.error().request_id(), None);
    Ok(())
}

#[tokio::test]
async fn a_status_decides_nothing_that_the_body_should() -> Outcome {
    let body = r#"{"code":"mfa_challenge","message":"m","pending_authentication_token":"pending",
        "authentication_factors":[{"id":"auth_factor_1","type":"totp"}]}"#;
    for status in [400, 401, 403, 409, 422, 429, 500] {
        assert!(matches!(next_step(exchange(status, body).await), Step::MfaChallenge(_)), "{status}");
    }
    let refused = r#"{"code":"invalid_credentials","message":"m"}"#;
    for (status, transient) in [(400, false), (403, false), (408, true), (429, true), (500, true), (503, true)] {
        let error = refusal(status, refused).await;
        assert_eq!(error.code(), Some(&ErrorCode::InvalidCredentials), "{status}");
        assert_eq!(error.is_transient(), transient, "{status}");
    }
    Ok(())
}
