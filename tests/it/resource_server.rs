//! Resource servers: which tokens of OAuth and M2M applications are accepted, what is refused and how, and when keys are fetched.
#![allow(clippy::similar_names, reason = "what is signed and who signs belong together")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use workos_auth::connect::{
    MissingScope, NotAccepted, NotAuthorized, Refusal, ResourceServer, ResourceToken, Scope, Scoped, Scopes, Subject,
};
use workos_auth::error::{NoBearerToken, TokenError};
use workos_auth::id::{Issuer, ResourceUri};
use workos_auth::secret::BearerToken;
use workos_auth::testing::{AuthKit, Endpoint, Fault, ManualClock, Skew, TestUser};
use workos_auth::transport::TransportError;
use workos_auth::{AccessToken, Client, ClientId, Error, ErrorKind, ExposeSecret, OrganizationId, UserId};

use crate::support::Outcome;
use crate::support::clients::reply;
use crate::support::login::{PASSWORD, with_password};
use crate::support::signer::{Signer, changed, encode};

const ISSUER: &str = "http://127.0.0.1:9";
const RESOURCE: &str = "https://mcp.example.com/mcp";
const METADATA_URL: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
/// The client ID of the environment.
const ENVIRONMENT: &str = "client_environment";
const NOW: i64 = 1_800_000_000;

fn resource() -> ResourceUri {
    ResourceUri::new(RESOURCE).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "user_1", "sid": "app_consent_1", "client_id": "client_app",
        "org_id": "org_1", "scope": "read:posts write:posts", "jti": "token_1", "iat": NOW - 10, "exp": NOW + 290,
    })
}

fn with(changes: Value) -> Value {
    changed(claims(), &changes)
}

/// What an issuer says about itself.
fn about(issuer: &str) -> Value {
    json!({"issuer": issuer, "jwks_uri": format!("{issuer}/oauth2/jwks"), "scopes_supported": ["openid"]})
}

/// An issuer that a test plays, and the paths that were asked for.
#[derive(Clone)]
struct Played {
    metadata: Value,
    keys: Value,
    asked: Arc<Mutex<Vec<String>>>,
    clock: ManualClock,
}

impl Played {
    fn new(keys: Value) -> Self {
        let clock = ManualClock::new(jiff::Timestamp::from_second(NOW).unwrap().into());
        Self { metadata: about(ISSUER), keys, asked: Arc::default(), clock }
    }

    fn server(&self) -> ResourceServer {
        let played = self.clone();
        let transport = move |request: http::Request<Bytes>| {
            let path = request.uri().path_and_query().unwrap().as_str();
            played.asked.lock().unwrap().push(path.to_owned());
            let body = if path == "/.well-known/oauth-authorization-server" {
                played.metadata.to_string()
            } else {
                json!({"keys": played.keys}).to_string()
            };
            async move {
                tokio::task::yield_now().await;
                Ok::<_, TransportError>(reply(200, body))
            }
        };
        let builder = Client::builder().clock(self.clock.clone());
        builder.resource_server_with(Issuer::new(ISSUER).unwrap(), resource(), transport).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn bearer(token: &impl ExposeSecret<str>) -> BearerToken {
    BearerToken::new(token.expose_secret()).unwrap()
}

fn headers(values: &[&str]) -> HeaderMap {
    let values = values.iter().map(|value| (http::header::AUTHORIZATION, HeaderValue::from_str(value).unwrap()));
    values.fold(HeaderMap::new(), |mut headers, (name, value)| {
        headers.append(name, value);
        headers
    })
}

fn presenting(token: &BearerToken) -> HeaderMap {
    headers(&[&format!("Bearer {}", token.expose_secret())])
}

fn reason(outcome: Result<ResourceToken, NotAccepted>) -> TokenError {
    match outcome.unwrap_err() {
        NotAccepted::Invalid(error) => match error.kind() {
            ErrorKind::InvalidToken(reason) => *reason,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Why the keys are unavailable.
fn outage(outcome: Result<ResourceToken, NotAccepted>) -> Option<ErrorKind> {
    let NotAccepted::KeysUnavailable(error) = outcome.unwrap_err() else { panic!("an outage says nothing of it") };
    assert!(matches!(error.kind(), ErrorKind::KeysUnavailable));
    std::error::Error::source(&error).and_then(|source| Some(source.downcast_ref::<Error>()?.kind().clone()))
}

fn challenge(response: &Response<String>) -> (u16, Option<&str>) {
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers().get("vary"), None);
    let header = response.headers().get("www-authenticate").map(|header| header.to_str().unwrap());
    (response.status().as_u16(), header)
}

#[tokio::test]
async fn a_good_token_says_what_it_says() -> Outcome {
    let signer = Signer::new("key_1");
    let server = Played::new(json!([signer.jwk()])).server();
    let token = server.verify(&bearer(&signer.sign(&claims()))).await?;
    assert_eq!(token.subject(), &Subject::User(UserId::new("user_1")?));
    assert_eq!(token.user_id().map(UserId::as_str), Some("user_1"));
    assert_eq!(token.client_id().map(ClientId::as_str), Some("client_app"));
    assert_eq!(token.organization_id().map(OrganizationId::as_str), Some("org_1"));
    assert_eq!(token.scopes(), &Scopes::new(["read:posts", "write:posts"])?);
    assert_eq!((token.expires_at().as_second(), token.token_id()), (NOW + 290, "token_1"));

    // An application registered by a URL (a client's metadata document) has no ID of WorkOS.
    let url = signer.sign(&with(json!({"client_id": "https://client.example.com/metadata.json"})));
    assert_eq!(server.verify(&bearer(&url)).await?.client_id(), None);

    let bare = json!({"iss": ISSUER, "aud": ["https://other.example.com", RESOURCE], "sub": "client_1", "jti": "token_2", "exp": NOW + 1});
    let token = server.verify(&bearer(&signer.sign(&bare))).await?;
    assert_eq!(token.subject(), &Subject::Machine(ClientId::new("client_1")?));
    assert_eq!((token.user_id(), token.client_id().map(ClientId::as_str)), (None, Some("client_1")));
    assert_eq!(token.organization_id(), None);
    assert!(token.scopes().is_empty() && token.scope("read:posts").is_err());
    Ok(())
}

#[tokio::test]
async fn every_token_that_is_not_for_this_server_has_its_reason() -> Outcome {
    let (signer, other) = (Signer::new("key_1"), Signer::new("key_1"));
    let server = Played::new(json!([signer.jwk()])).server();
    let good = signer.sign(&claims());
    let (signed, _) = good.expose_secret().rsplit_once('.').unwrap();
    let payload = signed.split_once('.').unwrap().1;
    let header = |alg: &str| encode(json!({"alg": alg, "kid": "key_1"}).to_string());
    let hs256 = {
        let signed = format!("{}.{payload}", header("HS256"));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, signer.pair.public_key().as_ref());
        format!("{signed}.{}", encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes())))
    };
    let token = |text: String| BearerToken::new(text).unwrap();
    let claiming = |changes: Value| bearer(&signer.sign(&with(changes)));
    let table = [
        ("alg none", token(format!("{}.{payload}.", header("none"))), TokenError::WrongAlgorithm),
        ("HS256 with the public key", token(hs256), TokenError::WrongAlgorithm),
        ("another key", bearer(&other.sign(&claims())), TokenError::WrongSignature),
        ("not a token", token("mF_9.B5f-4.1JqM".to_owned()), TokenError::Malformed),
        ("an opaque token", token("AbCdEf123456==".to_owned()), TokenError::Malformed),
        ("no audience", claiming(json!({"aud": null})), TokenError::WrongAudience),
        ("an empty audience", claiming(json!({"aud": []})), TokenError::WrongAudience),
        ("another audience", claiming(json!({"aud": "https://mcp.example.com"})), TokenError::WrongAudience),
        ("a longer audience", claiming(json!({"aud": format!("{RESOURCE}/")})), TokenError::WrongAudience),
        ("an audience in capitals", claiming(json!({"aud": RESOURCE.to_uppercase()})), TokenError::WrongAudience),
        ("a client ID that isn't named", claiming(json!({"aud": ENVIRONMENT})), TokenError::WrongAudience),
        ("another issuer", claiming(json!({"iss": "https://other.authkit.app"})), TokenError::WrongIssuer),
        ("an issuer with a slash", claiming(json!({"iss": format!("{ISSUER}/")})), TokenError::WrongIssuer),
        ("no issuer", claiming(json!({"iss": null})), TokenError::WrongIssuer),
        ("not valid yet", claiming(json!({"nbf": NOW + 61})), TokenError::NotYetValid),
        ("issued in the future", claiming(json!({"iat": NOW + 61})), TokenError::NotYetValid),
        ("no expiry", claiming(json!({"exp": null})), TokenError::MissingClaim),
        ("no subject", claiming(json!({"sub": null})), TokenError::MissingClaim),
        (
            "an ID token",
            claiming(json!({"jti": null, "sid": null, "nonce": "a", "email": "a@b.c"})),
            TokenError::MissingClaim,
        ),
        ("a session's token", claiming(json!({"sid": "session_1"})), TokenError::SessionToken),
        ("an unknown kind of subject", claiming(json!({"sub": "agent_1"})), TokenError::MalformedClaims),
        ("a subject that is no ID", claiming(json!({"sub": "user_../1"})), TokenError::MalformedClaims),
        ("scopes as a list", claiming(json!({"scope": ["read:posts"]})), TokenError::MalformedClaims),
        ("a scope with a quote", claiming(json!({"scope": "read\"posts"})), TokenError::MalformedClaims),
        ("claims as an array", bearer(&signer.sign(&json!([ISSUER, RESOURCE, "user_1"]))), TokenError::MalformedClaims),
    ];
    for (what, token, expected) in table {
        assert_eq!(reason(server.verify(&token).await), expected, "{what}");
        // With the client ID named, only that audience is good.
        let named = server.clone().accept_client(ClientId::new(ENVIRONMENT)?).verify(&token).await;
        assert_eq!(named.is_ok(), what == "a client ID that isn't named", "{what}");
    }
    for (name, ahead) in [("iat", 60), ("nbf", 60)] {
        assert!(server.verify(&claiming(json!({name: NOW + ahead}))).await.is_ok(), "{name}");
    }
    assert!(matches!(server.verify(&claiming(json!({"exp": NOW}))).await, Err(NotAccepted::Expired)));
    let header = json!({"alg": "RS256", "kid": "unknown"});
    let unknown = bearer(&signer.sign_as(&RSA_PKCS1_SHA256, &header, &claims()));
    let fresh = Played::new(json!([signer.jwk()])).server();
    assert_eq!(reason(fresh.verify(&unknown).await), TokenError::UnknownKey);
    Ok(())
}

#[tokio::test]
async fn the_keys_are_where_the_metadata_of_the_issuer_says() -> Outcome {
    const METADATA: &str = "/.well-known/oauth-authorization-server";
    let signer = Signer::new("key_1");
    let played = Played::new(json!([signer.jwk()]));
    let token = bearer(&signer.sign(&claims()));
    for (jwks_uri, path) in [
        (format!("{ISSUER}/oauth2/jwks"), "/oauth2/jwks"),
        (format!("{ISSUER}/keys?of=all"), "/keys?of=all"),
        ("HTTP://127.0.0.1:9/keys".to_owned(), "/keys"),
    ] {
        let played = Played {
            metadata: json!({"issuer": ISSUER, "jwks_uri": jwks_uri}),
            asked: Arc::default(),
            ..played.clone()
        };
        assert!(played.server().verify(&token).await.is_ok(), "{jwks_uri}");
        assert_eq!(played.asked(), [METADATA, path]);
    }
    for (what, metadata) in [
        ("another issuer", json!({"issuer": "http://127.0.0.1:8", "jwks_uri": format!("{ISSUER}/oauth2/jwks")})),
        ("a slash more", json!({"issuer": format!("{ISSUER}/"), "jwks_uri": format!("{ISSUER}/oauth2/jwks")})),
        ("another origin", json!({"issuer": ISSUER, "jwks_uri": "https://evil.example.com/oauth2/jwks"})),
        ("another port", json!({"issuer": ISSUER, "jwks_uri": "http://127.0.0.1:90/oauth2/jwks"})),
        ("another scheme", json!({"issuer": ISSUER, "jwks_uri": "https://127.0.0.1:9/oauth2/jwks"})),
        ("a user name", json!({"issuer": ISSUER, "jwks_uri": "http://127.0.0.1:9@evil.example.com/oauth2/jwks"})),
        ("a path", json!({"issuer": ISSUER, "jwks_uri": "/oauth2/jwks"})),
    ] {
        let played = Played { metadata, asked: Arc::default(), ..played.clone() };
        assert!(matches!(outage(played.server().verify(&token).await), Some(ErrorKind::IssuerMetadata)), "{what}");
        assert_eq!(played.asked(), [METADATA], "{what}: no keys were fetched");
    }
    for metadata in [json!({"issuer": ISSUER}), json!({"jwks_uri": "/"}), json!([ISSUER, format!("{ISSUER}/keys")])] {
        let played = Played { metadata: metadata.clone(), asked: Arc::default(), ..played.clone() };
        let cause = outage(played.server().verify(&token).await);
        assert!(matches!(cause, Some(ErrorKind::UnexpectedShape)), "{metadata}: {cause:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_user_session_is_no_caller_of_an_api() -> Outcome {
    let ada = TestUser::new("ada@example.com").password(PASSWORD).organization("org_1");
    let authkit = AuthKit::builder().user(ada).start().await?;
    let client = authkit.confidential_client();
    let login = with_password(&client, "ada@example.com").await?;
    // Issuer and keys are the same here; only the token's own kind and audience tell.
    let server = authkit.resource_server(resource())?.accept_client(ClientId::new(authkit.client_id())?);
    let session = bearer(&login.access_token);
    assert_eq!(reason(server.verify(&session).await), TokenError::SessionToken);

    // Nor is a caller of an API a signed-in user, even if its token names the same client ID.
    let user = authkit.connect_token().audience(RESOURCE).client(authkit.client_id()).sign()?;
    let machine = authkit.connect_token().audience(RESOURCE).machine("client_1").client(authkit.client_id()).sign()?;
    for (token, expected) in [(user, TokenError::ApplicationToken), (machine, TokenError::MissingClaim)] {
        assert!(server.verify(&token).await.is_ok());
        let error = client.verifier().verify(&AccessToken::new(token.expose_secret())).await.unwrap_err().error();
        assert!(matches!(error.kind(), ErrorKind::InvalidToken(reason) if *reason == expected), "{error}");
    }
    Ok(())
}

/// Audiences, issuers, times and required claims, with the verdict of a library that nobody here wrote.
#[tokio::test]
async fn the_peer_gives_the_same_verdict_on_claims() -> Outcome {
    let (signer, other) = (Signer::new("key_1"), Signer::new("key_1"));
    // The peer looks at the system's clock; no token of these is within an hour of its limits.
    let now = jiff::Timestamp::now().as_second();
    let played = Played { clock: ManualClock::new(std::time::SystemTime::now()), ..Played::new(json!([signer.jwk()])) };
    let server = played.server();
    let key = jsonwebtoken::DecodingKey::from_jwk(&serde_json::from_value(signer.jwk())?)?;
    let mut policy = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    policy.set_issuer(&[ISSUER]);
    policy.set_audience(&[RESOURCE]);
    policy.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    policy.validate_nbf = true;
    let audiences = [
        json!(RESOURCE),
        json!([RESOURCE]),
        json!(["https://other.example.com", RESOURCE]),
        json!("https://other.example.com"),
        json!(["https://other.example.com"]),
        json!([]),
        json!(""),
        json!(format!("{RESOURCE}/")),
        Value::Null,
    ];
    let (mut good, mut bad) = (0, 0);
    for aud in &audiences {
        for iss in [json!(ISSUER), json!("https://other.authkit.app"), Value::Null] {
            for exp in [json!(now + 7200), json!(now - 7200), Value::Null] {
                for (nbf, signed_by) in [(now - 7200, &signer), (now + 7200, &signer), (now - 7200, &other)] {
                    let claims = with(json!({"aud": aud, "iss": iss, "exp": exp, "nbf": nbf, "iat": now - 7200}));
                    let token = signed_by.sign(&claims);
                    let ours = server.verify(&bearer(&token)).await;
                    let theirs = jsonwebtoken::decode::<Value>(token.expose_secret(), &key, &policy);
                    assert_eq!(ours.is_ok(), theirs.is_ok(), "{claims}: {ours:?} {theirs:?}");
                    *if theirs.is_ok() { &mut good } else { &mut bad } += 1;
                }
            }
        }
    }
    assert_eq!((good, bad), (3, 240));
    Ok(())
}

#[tokio::test]
async fn many_callers_fetch_metadata_and_keys_once() -> Outcome {
    let authkit = AuthKit::start().await?;
    authkit.inject(Endpoint::IssuerMetadata, Fault::Slow(Duration::from_millis(50)), usize::MAX);
    let server = authkit.resource_server(resource())?;
    let token = authkit.connect_token().audience(RESOURCE).sign()?;
    let callers = (0..50).map(|_| {
        let (server, token) = (server.clone(), token.clone());
        tokio::spawn(async move { server.verify(&token).await.is_ok() })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert!(caller.await?);
    }
    let requests = [Endpoint::IssuerMetadata, Endpoint::IssuerJwks, Endpoint::Jwks].map(|it| authkit.requests_to(it));
    assert_eq!(requests, [1, 1, 0]);
    Ok(())
}

#[tokio::test]
async fn keys_rotate_and_retire() -> Outcome {
    let authkit = AuthKit::start().await?;
    let server = authkit.resource_server(resource())?;
    let token = || authkit.connect_token().audience(RESOURCE).lifetime(Duration::from_secs(7200)).sign();
    let old = token()?;
    assert!(server.verify(&old).await.is_ok());
    authkit.rotate_keys()?;
    authkit.advance(Duration::from_secs(31));
    assert!(server.verify(&token()?).await.is_ok() && server.verify(&old).await.is_ok());
    authkit.retire_keys();
    authkit.advance(Duration::from_secs(601));
    assert_eq!(reason(server.verify(&old).await), TokenError::UnknownKey);
    let unpublished = authkit.connect_token().audience(RESOURCE).unpublished_key().sign()?;
    authkit.advance(Duration::from_secs(31));
    assert_eq!(reason(server.verify(&unpublished).await), TokenError::UnknownKey);
    Ok(())
}

#[tokio::test]
async fn an_outage_is_503_and_says_nothing_about_the_token() -> Outcome {
    for endpoint in [Endpoint::IssuerMetadata, Endpoint::IssuerJwks] {
        for fault in
            [Fault::Status(503, None), Fault::Status(500, None), Fault::LostBefore, Fault::Truncated, Fault::Stall]
        {
            let authkit = AuthKit::start().await?;
            authkit.inject(endpoint, fault, usize::MAX);
            let builder =
                Client::builder().retries(0).timeout(Duration::from_millis(200)).clock(authkit.clock().clone());
            let server = builder.resource_server(authkit.issuer(), resource())?;
            let token = authkit.connect_token().audience(RESOURCE).sign()?;
            let refused = server.admit(&presenting(&token)).await.unwrap_err();
            let unavailable = matches!(refused.refusal(), Refusal::NotAccepted(NotAccepted::KeysUnavailable(_)));
            assert!(unavailable, "{endpoint:?} {fault:?}: {refused:?}");
            let response = refused.response();
            assert_eq!(challenge(&response), (503, None), "{endpoint:?} {fault:?}");
            assert_eq!(response.headers()["retry-after"], "5");

            // The same token is good afterwards.
            authkit.heal();
            authkit.advance(Duration::from_secs(6));
            assert!(server.verify(&token).await.is_ok(), "{endpoint:?} {fault:?}");
            // Good keys outlast the next outage, for an hour.
            authkit.inject(endpoint, fault, usize::MAX);
            authkit.advance(Duration::from_secs(30 * 60));
            let later = authkit.connect_token().audience(RESOURCE).sign()?;
            assert!(server.verify(&later).await.is_ok(), "{endpoint:?} {fault:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_check_does_not_wait_longer_than_it_may() -> Outcome {
    let authkit = AuthKit::start().await?;
    authkit.inject(Endpoint::IssuerMetadata, Fault::Stall, usize::MAX);
    let server = authkit.resource_server(resource())?.keys_timeout(Duration::from_millis(50));
    let token = authkit.connect_token().audience(RESOURCE).sign()?;
    let began = Instant::now();
    let cause = outage(server.verify(&token).await);
    assert!(matches!(cause, Some(ErrorKind::Timeout)), "{cause:?}");
    // One attempt to fetch the keys takes 5 s.
    assert!(began.elapsed() < Duration::from_secs(4));
    Ok(())
}

#[tokio::test]
async fn a_server_whose_clock_is_wrong_is_forgiven_a_minute() -> Outcome {
    let authkit = AuthKit::builder().clock(ManualClock::new(std::time::SystemTime::now())).start().await?;
    let server = authkit.resource_server(resource())?;
    authkit.set_skew(Skew::Ahead(Duration::from_secs(60)));
    assert!(server.verify(&authkit.connect_token().audience(RESOURCE).sign()?).await.is_ok());
    authkit.set_skew(Skew::Ahead(Duration::from_secs(61)));
    let early = authkit.connect_token().audience(RESOURCE).sign()?;
    assert_eq!(reason(server.verify(&early).await), TokenError::NotYetValid);
    Ok(())
}

#[test]
fn a_request_presents_one_token() {
    let long = "a".repeat(16 * 1024);
    let (fits, too_long) = (format!("Bearer {long}"), format!("Bearer {long}a"));
    for (values, expected) in [
        (&["Bearer mF_9.B5f-4.1JqM"][..], Ok("mF_9.B5f-4.1JqM")),
        (&["bearer aZ09-._~+/=="], Ok("aZ09-._~+/==")),
        (&["BEARER   a"], Ok("a")),
        (&[&fits], Ok(&*long)),
        (&[&too_long], Err(NoBearerToken::Malformed)),
        (&[], Err(NoBearerToken::Missing)),
        (&["Basic dXNlcjpwYXNz"], Err(NoBearerToken::Missing)),
        (&["Bearers a"], Err(NoBearerToken::Missing)),
        (&[""], Err(NoBearerToken::Missing)),
        (&["Bearer"], Err(NoBearerToken::Malformed)),
        (&["Bearer "], Err(NoBearerToken::Malformed)),
        (&["Bearer =="], Err(NoBearerToken::Malformed)),
        (&["Bearer a=b"], Err(NoBearerToken::Malformed)),
        (&["Bearer a b"], Err(NoBearerToken::Malformed)),
        (&["Bearer a, Bearer b"], Err(NoBearerToken::Malformed)),
        (&["Bearer \ta"], Err(NoBearerToken::Malformed)),
        (&["Bearer a\""], Err(NoBearerToken::Malformed)),
        (&["Bearer é"], Err(NoBearerToken::Malformed)),
        (&["Bearer a", "Bearer a"], Err(NoBearerToken::Repeated)),
        (&["Basic a", "Bearer a"], Err(NoBearerToken::Repeated)),
    ] {
        let found = BearerToken::from_headers(&headers(values));
        assert_eq!(found.as_ref().map(ExposeSecret::expose_secret).map_err(|error| *error), expected, "{values:?}");
    }
    let token = BearerToken::new("secret-token").unwrap();
    assert_eq!(format!("{token:?}"), "BearerToken([REDACTED])");
    let error = BearerToken::new("secret token").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidValue { field: "bearer_token", .. }));
    assert!(!format!("{error:?} {error}").contains("secret token"));
}

#[tokio::test]
async fn each_refusal_is_a_challenge() -> Outcome {
    let signer = Signer::new("key_1");
    let server = Played::new(json!([signer.jwk()])).server();
    let plain = format!("Bearer resource_metadata=\"{METADATA_URL}\"");
    let invalid = format!("Bearer error=\"invalid_token\", resource_metadata=\"{METADATA_URL}\"");
    let repeated = format!("Bearer error=\"invalid_request\", resource_metadata=\"{METADATA_URL}\"");
    let expired = presenting(&bearer(&signer.sign(&with(json!({"exp": NOW})))));
    let foreign = presenting(&bearer(&signer.sign(&with(json!({"aud": "https://other.example.com"})))));
    for (what, request, expected) in [
        ("no token", HeaderMap::new(), (401, &plain)),
        ("another scheme", headers(&["Basic dXNlcjpwYXNz"]), (401, &plain)),
        ("a malformed token", headers(&["Bearer a b"]), (401, &invalid)),
        ("several headers", headers(&["Bearer a", "Bearer b"]), (400, &repeated)),
        ("an expired token", expired, (401, &invalid)),
        ("another server's token", foreign, (401, &invalid)),
    ] {
        let response = server.admit(&request).await.unwrap_err().response();
        assert_eq!(challenge(&response), (expected.0, Some(&**expected.1)), "{what}");
    }
    Ok(())
}

struct ReadPosts;

impl Scope for ReadPosts {
    const NAME: &'static str = "read:posts";
}

struct DeletePosts;

impl Scope for DeletePosts {
    const NAME: &'static str = "delete:posts";
}

#[tokio::test]
async fn a_missing_scope_is_named_to_the_client() -> Outcome {
    let signer = Signer::new("key_1");
    let server = Played::new(json!([signer.jwk()])).server();
    let token = server.verify(&bearer(&signer.sign(&claims()))).await?;
    assert!(token.scope("read:posts").is_ok() && token.scope("write:posts").is_ok());
    for part in ["read", "read:", "posts", "read:posts write:posts", "", "READ:POSTS", "read:postss"] {
        assert!(token.scope(part).is_err(), "{part}");
    }
    assert_eq!(Scoped::<ReadPosts>::check(token.clone())?.token_id(), "token_1");
    let missing: MissingScope = Scoped::<DeletePosts>::check(token.clone()).unwrap_err();
    assert_eq!(
        (missing.scope(), missing.to_string()),
        ("delete:posts", "the access token lacks the scope delete:posts".to_owned())
    );
    let expected =
        format!("Bearer error=\"insufficient_scope\", scope=\"delete:posts\", resource_metadata=\"{METADATA_URL}\"");
    assert_eq!(challenge(&missing.response()), (403, Some(&*expected)));
    let refused = NotAuthorized::from(missing);
    assert!(matches!(refused.refusal(), Refusal::MissingScope(missing) if missing.scope() == "delete:posts"));
    assert_eq!(challenge(&refused.response()), (403, Some(&*expected)));

    // A name that is no scope stays in its quotes.
    let odd = token.scope("a\", error=\"b\r\nc").unwrap_err().response();
    let expected = format!(
        "Bearer error=\"insufficient_scope\", scope=\"a\\\", error=\\\"bc\", resource_metadata=\"{METADATA_URL}\""
    );
    assert_eq!(challenge(&odd), (403, Some(&*expected)));
    Ok(())
}

#[test]
fn the_metadata_is_what_rfc_9728_describes() {
    let server = Played::new(json!([])).server();
    let response = server.metadata();
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    assert_eq!(
        response.body(),
        r#"{"resource":"https://mcp.example.com/mcp","authorization_servers":["http://127.0.0.1:9"],"bearer_methods_supported":["header"]}"#
    );
    assert_eq!(
        (server.metadata_path(), server.metadata_url()),
        ("/.well-known/oauth-protected-resource/mcp", METADATA_URL)
    );

    let scopes = Scopes::new(["write:posts", "read:posts", "read:posts"]).unwrap();
    assert_eq!(
        server.scopes_supported(scopes).metadata().body(),
        r#"{"resource":"https://mcp.example.com/mcp","authorization_servers":["http://127.0.0.1:9"],"bearer_methods_supported":["header"],"scopes_supported":["read:posts","write:posts"]}"#
    );
}

#[test]
fn issuers_resources_and_scopes_are_parsed_once() {
    for (text, issuer) in [
        ("https://example.authkit.app", Some("https://example.authkit.app")),
        ("https://example.authkit.app/", Some("https://example.authkit.app")),
        ("https://AUTH.example.com:443", Some("https://auth.example.com")),
        ("http://localhost:8000", Some("http://localhost:8000")),
        ("http://example.authkit.app", None),
        ("https://example.authkit.app/path", None),
        ("https://example.authkit.app?query", None),
        ("https://example.authkit.app#fragment", None),
        ("https://user@example.authkit.app", None),
        ("example.authkit.app", None),
        ("", None),
    ] {
        assert_eq!(Issuer::new(text).ok().as_ref().map(Issuer::as_str), issuer, "{text}");
    }
    assert_eq!(
        serde_json::from_str::<Issuer>(r#""https://example.authkit.app""#).unwrap(),
        "https://example.authkit.app".parse().unwrap()
    );
    assert!(serde_json::from_str::<Issuer>(r#""http://example.authkit.app""#).is_err());
    for (text, good) in [
        (RESOURCE, true),
        ("https://example.com", true),
        ("https://example.com/?tenant=1", true),
        ("http://127.0.0.1:8000/mcp", true),
        ("http://example.com/mcp", false),
        ("https://example.com/mcp#tools", false),
        ("https://user@example.com/mcp", false),
        ("urn:example:api", false),
        ("mcp", false),
    ] {
        assert_eq!(ResourceUri::new(text).ok().map(|it| it.to_string()), good.then(|| text.to_owned()), "{text}");
    }
    for bad in ["", "a b", "a\"", "a\\", "é", "a\n"] {
        assert!(Scopes::new([bad]).is_err(), "{bad:?}");
    }
    assert_eq!(Scopes::new(["!#[]~"]).unwrap().to_string(), "!#[]~");
    assert_eq!(" b  a b ".parse::<Scopes>().unwrap().iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn an_injected_clock_is_for_tests_only() {
    let clock = ManualClock::new(std::time::SystemTime::UNIX_EPOCH);
    let issuer = Issuer::new("https://example.authkit.app").unwrap();
    let error = Client::builder().clock(clock).resource_server(issuer, resource()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidValue { field: "base_url", .. }));
}

mod with_axum {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::extract::FromRef;
    use axum::http::Request;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    #[derive(Clone, FromRef)]
    struct App {
        server: ResourceServer,
    }

    #[tokio::test]
    async fn a_handler_says_by_type_what_it_needs() -> Outcome {
        let authkit = AuthKit::start().await?;
        let server = authkit.resource_server(resource())?;
        let routes = Router::new()
            .route("/me", get(async |token: ResourceToken| format!("{:?}", token.subject())))
            .route("/posts", get(async |token: Scoped<ReadPosts>| token.scopes().to_string()))
            .merge(server.routes());
        let app = routes.with_state(App { server });
        let token = |scopes| authkit.connect_token().audience(RESOURCE).user("user_1").scopes(scopes).sign();
        let [reader, other] = [token("read:posts")?, token("openid")?].map(|token| presenting(&token));
        let invalid = format!("Bearer error=\"invalid_token\", resource_metadata=\"{METADATA_URL}\"");
        let plain = format!("Bearer resource_metadata=\"{METADATA_URL}\"");
        let scope =
            format!("Bearer error=\"insufficient_scope\", scope=\"read:posts\", resource_metadata=\"{METADATA_URL}\"");
        for (path, request, expected, body) in [
            ("/me", &reader, (200, None), "User(UserId(user_1))"),
            ("/posts", &reader, (200, None), "read:posts"),
            ("/posts", &other, (403, Some(scope)), "The access token lacks a scope."),
            ("/posts", &headers(&["Bearer a.b.c"]), (401, Some(invalid)), "This needs an access token."),
            ("/me", &HeaderMap::new(), (401, Some(plain)), "This needs an access token."),
        ] {
            let mut call = Request::get(path).body(Body::empty())?;
            *call.headers_mut() = request.clone();
            let response = app.clone().oneshot(call).await?;
            let header = response.headers().get("www-authenticate").map(|it| it.to_str().unwrap().to_owned());
            assert_eq!((response.status().as_u16(), header), expected, "{path}");
            assert_eq!(to_bytes(response.into_body(), 1000).await?, body, "{path}");
        }
        let metadata = Request::get("/.well-known/oauth-protected-resource/mcp").body(Body::empty())?;
        let response = app.oneshot(metadata).await?;
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (StatusCode::OK, &"application/json".parse()?)
        );
        let issuer = authkit.issuer();
        assert_eq!(
            to_bytes(response.into_body(), 1000).await?,
            format!(
                "{{\"resource\":\"{RESOURCE}\",\"authorization_servers\":[\"{issuer}\"],\"bearer_methods_supported\":[\"header\"]}}"
            )
        );
        Ok(())
    }
}
