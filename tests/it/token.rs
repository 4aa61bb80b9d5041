//! Access tokens: what the verifier accepts, what it refuses and why, and when it fetches keys.
#![allow(clippy::similar_names, reason = "what is signed and who signs belong together")]
#![allow(clippy::too_many_lines, reason = "a table is as long as its rows are many")]

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use workos_auth::error::TokenError;
use workos_auth::testing::ManualClock;
use workos_auth::token::NotVerified;
use workos_auth::transport::TransportError;
use workos_auth::{AccessToken, ConfidentialClient, Error, ErrorKind, ExposeSecret, OrganizationId, TokenVerifier};

use crate::support::Outcome;
use crate::support::clients::{confidential, public};
use crate::support::raw::{Answer, RawServer};
use crate::support::signer::{Signer, changed, encode};

const BASE_URL: &str = "http://127.0.0.1:9";
const NOW: i64 = 1_800_000_000;

fn claims() -> Value {
    json!({
        "iss": BASE_URL, "sub": "user_1", "sid": "session_1", "jti": "token_1", "client_id": "client_123",
        "org_id": "org_1", "role": "admin", "roles": ["admin", "billing"], "permissions": ["posts:write"],
        "entitlements": ["audit-logs"], "feature_flags": ["new-editor"], "act": {"sub": "support@example.com"},
        "iat": NOW - 10, "auth_time": NOW - 100, "exp": NOW + 290, "plan": "pro",
    })
}

fn with(changes: Value) -> Value {
    changed(claims(), &changes)
}

/// What the JWKS endpoint answers, and how often it was asked.
#[derive(Clone)]
struct Endpoint {
    answer: Arc<Mutex<Option<Value>>>,
    fetches: Arc<Mutex<usize>>,
    /// It takes requests and never answers.
    hangs: Arc<Mutex<bool>>,
    clock: ManualClock,
}

impl Endpoint {
    fn new(keys: Value) -> Self {
        Self::at(jiff::Timestamp::from_second(NOW).unwrap(), keys)
    }

    fn at(now: jiff::Timestamp, keys: Value) -> Self {
        let clock = ManualClock::new(now.into());
        let answer = Arc::new(Mutex::new(Some(json!({"keys": keys}))));
        Self { answer, fetches: Arc::default(), hangs: Arc::default(), clock }
    }

    fn publish(&self, keys: Value) {
        *self.answer.lock().unwrap() = Some(json!({"keys": keys}));
    }

    fn go_down(&self) {
        *self.answer.lock().unwrap() = None;
    }

    fn hang(&self, hangs: bool) {
        *self.hangs.lock().unwrap() = hangs;
    }

    fn fetches(&self) -> usize {
        *self.fetches.lock().unwrap()
    }

    fn verifier(&self) -> TokenVerifier {
        self.client().verifier()
    }

    fn client(&self) -> ConfidentialClient {
        let endpoint = self.clone();
        let client = confidential(BASE_URL);
        let client = client.clock(self.clock.clone()).build_with(move |request: http::Request<Bytes>| {
            assert_eq!(request.uri().path(), "/sso/jwks/client_123");
            let answer = endpoint.answer.lock().unwrap().clone();
            let hangs = *endpoint.hangs.lock().unwrap();
            // Last: a test that sees the count may change the answer to the next one.
            *endpoint.fetches.lock().unwrap() += 1;
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                tokio::task::yield_now().await;
                let mut reply = http::Response::new(Bytes::from(answer.clone().unwrap_or_default().to_string()));
                if answer.is_none() {
                    *reply.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                }
                Ok::<_, TransportError>(reply)
            }
        });
        client.unwrap()
    }
}

/// What a check says at once, without any runtime.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn unavailable<T>(outcome: &Result<T, NotVerified>) -> bool {
    let Err(NotVerified::KeysUnavailable(error)) = outcome else { return false };
    matches!(error.kind(), ErrorKind::KeysUnavailable)
}

/// Why the keys are unavailable.
fn outage<T>(outcome: Result<T, NotVerified>) -> Error {
    assert!(unavailable(&outcome));
    outcome.map(drop).unwrap_err().into()
}

fn reason<T>(outcome: Result<T, NotVerified>) -> TokenError {
    match outcome.map(drop).unwrap_err() {
        NotVerified::Invalid(error) => match error.kind() {
            ErrorKind::InvalidToken(reason) => *reason,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_token_says_what_it_says() -> Outcome {
    let signer = Signer::new("key_1");
    let verifier = Endpoint::new(json!([signer.jwk()])).verifier();
    let token = verifier.verify(&signer.sign(&claims())).await?;
    assert_eq!((token.user_id().as_str(), token.session_id().as_str()), ("user_1", "session_1"));
    assert_eq!(token.organization_id().map(OrganizationId::as_str), Some("org_1"));
    assert_eq!((token.token_id(), token.impersonator()), (Some("token_1"), Some("support@example.com")));
    let organization = OrganizationId::new("org_1")?;
    for may in [token.in_organization(&organization)?, token.active_organization().ok_or("no organization")?] {
        assert_eq!((may.organization_id(), may.role()), (&organization, Some("admin")));
        assert!(may.has_role("admin") && may.has_role("billing") && !may.has_role("owner"));
        assert!(may.has_permission("posts:write") && !may.has_permission("posts"));
        assert!(may.has_entitlement("audit-logs") && !may.has_entitlement("sso"));
    }
    let error = token.in_organization(&OrganizationId::new("org_2")?).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidToken(TokenError::WrongOrganization)));
    assert!(token.has_feature_flag("new-editor") && !token.has_feature_flag("old-editor"));
    assert_eq!(token.expires_at().as_second(), NOW + 290);
    assert_eq!(token.issued_at().map(jiff::Timestamp::as_second), Some(NOW - 10));
    assert_eq!(token.authenticated_at().map(jiff::Timestamp::as_second), Some(NOW - 100));

    let bare = json!({"iss": BASE_URL, "client_id": "client_123", "sub": "user_1", "sid": "session_1", "exp": NOW + 1});
    let token = verifier.verify(&signer.sign(&bare)).await?;
    assert!(token.active_organization().is_none() && token.impersonator().is_none());
    assert!(token.in_organization(&organization).is_err());
    let member = with(json!({
        "role": null, "roles": null, "permissions": null, "entitlements": null, "feature_flags": null, "act": null,
    }));
    let token = verifier.verify(&signer.sign(&member)).await?;
    let may = token.in_organization(&organization)?;
    assert!(!may.has_role("admin") && !may.has_permission("posts:write") && token.impersonator().is_none());
    Ok(())
}

#[tokio::test]
async fn claims_of_a_template_are_typed() -> Outcome {
    #[derive(Deserialize)]
    struct Plan {
        plan: String,
    }
    let signer = Signer::new("key_1");
    let verifier = Endpoint::new(json!([signer.jwk()])).verifier().custom_claims::<Plan>();
    let token = verifier.verify(&signer.sign(&claims())).await?;
    assert_eq!(token.custom().plan, "pro");
    let without = verifier.verify(&signer.sign(&with(json!({"plan": null})))).await;
    assert_eq!(reason(without), TokenError::MalformedClaims);
    Ok(())
}

#[tokio::test]
async fn issuers_audiences_and_times_follow_the_policy() -> Outcome {
    let signer = Signer::new("key_1");
    let verifier = Endpoint::new(json!([signer.jwk()])).verifier();
    for iss in [BASE_URL.to_owned(), format!("{BASE_URL}/"), format!("{BASE_URL}/user_management/client_123")] {
        assert!(verifier.verify(&signer.sign(&with(json!({"iss": iss})))).await.is_ok());
    }
    let own = signer.sign(&with(json!({"iss": "https://auth.example.com"})));
    assert_eq!(reason(verifier.verify(&own).await), TokenError::WrongIssuer);
    assert!(verifier.clone().issuer("https://auth.example.com").verify(&own).await.is_ok());

    // The base URL issues for every application, so the token says for which; the others are this application's.
    let anybodys = signer.sign(&with(json!({"client_id": null})));
    assert_eq!(reason(verifier.verify(&anybodys).await), TokenError::MissingClientId);
    let slash = signer.sign(&with(json!({"iss": format!("{BASE_URL}/"), "client_id": null})));
    assert_eq!(reason(verifier.verify(&slash).await), TokenError::MissingClientId);
    let issuer = format!("{BASE_URL}/user_management/client_123");
    assert!(verifier.verify(&signer.sign(&with(json!({"iss": issuer, "client_id": null})))).await.is_ok());
    let told = verifier.clone().issuer(BASE_URL);
    assert!(told.verify(&anybodys).await.is_ok());
    assert_eq!(reason(told.verify(&slash).await), TokenError::MissingClientId);
    assert_eq!(
        reason(told.verify(&signer.sign(&with(json!({"client_id": "client_456"})))).await),
        TokenError::WrongClient
    );

    let strict = verifier.clone().audience("api");
    assert_eq!(reason(strict.verify(&signer.sign(&claims())).await), TokenError::WrongAudience);
    for aud in [json!("api"), json!(["web", "api"])] {
        assert!(strict.verify(&signer.sign(&with(json!({"aud": aud})))).await.is_ok());
    }
    assert_eq!(reason(strict.verify(&signer.sign(&with(json!({"aud": ["web"]})))).await), TokenError::WrongAudience);

    // Servers a few seconds ahead are trusted, and no others.
    for (name, ahead, good) in [("iat", 60, true), ("iat", 61, false), ("nbf", 60, true), ("nbf", 61, false)] {
        let outcome = verifier.verify(&signer.sign(&with(json!({name: NOW + ahead})))).await;
        assert_eq!(outcome.is_ok(), good, "{name} {ahead}");
    }
    let expired = signer.sign(&with(json!({"exp": NOW})));
    match verifier.verify(&expired).await {
        Err(NotVerified::Expired(token)) => {
            assert_eq!(token.session_id().as_str(), "session_1");
            assert_eq!(token.expired_at().as_second(), NOW);
        }
        other => panic!("it has expired: {other:?}"),
    }
    let error = Error::from(verifier.verify(&expired).await.unwrap_err());
    assert!(matches!(error.kind(), ErrorKind::InvalidToken(TokenError::Expired)));
    assert!(verifier.clone().expiry_leeway(Duration::from_secs(1)).verify(&expired).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn every_token_that_is_not_to_be_trusted_has_its_reason() -> Outcome {
    let (signer, other) = (Signer::new("key_1"), Signer::new("key_1"));
    let mut encryption = Signer::new("for-encryption").jwk();
    encryption["use"] = json!("enc");
    let mut wrapping = Signer::new("for-wrapping").jwk();
    wrapping["key_ops"] = json!(["wrapKey"]);
    let mut other_algorithm = Signer::new("for-ps256").jwk();
    other_algorithm["alg"] = json!("PS256");
    let small = json!({"kty": "RSA", "kid": "small", "n": encode([0xc5; 128]), "e": "AQAB"});
    let curve = json!({"kty": "EC", "kid": "curve", "crv": "P-256", "x": "x", "y": "y"});
    let twice = Signer::new("twice").jwk();
    let keys = json!([signer.jwk(), encryption, wrapping, other_algorithm, small, curve, twice.clone(), twice]);
    let verifier = Endpoint::new(keys).verifier();

    let good = signer.sign(&claims());
    let good = good.expose_secret();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let header_of = |header: Value| signer.sign_as(&RSA_PKCS1_SHA256, &header, &claims());
    let hs256 = {
        let signed = format!("{}.{payload}", encode(json!({"alg": "HS256", "kid": "key_1"}).to_string()));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, signer.pair.public_key().as_ref());
        AccessToken::new(format!("{signed}.{}", encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes()))))
    };
    // The last letter of 256 bytes in base64 holds four bits that nobody reads.
    let noncanonical = {
        let last = signature.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let next = alphabet.chars().nth((alphabet.find(last).unwrap() + 1) % 64).unwrap();
        format!("{signed}.{}{next}", &signature[..signature.len() - 1])
    };
    let signature_bytes = BASE64_URL_SAFE_NO_PAD.decode(signature)?;
    let shortened = |bytes: &[u8]| AccessToken::new(format!("{signed}.{}", encode(bytes)));
    let table = [
        (
            "alg none",
            AccessToken::new(format!("{}.{payload}.", encode(r#"{"alg":"none","kid":"key_1"}"#))),
            TokenError::WrongAlgorithm,
        ),
        ("HS256 with the public key", hs256, TokenError::WrongAlgorithm),
        (
            "RS384",
            signer.sign_as(&RSA_PKCS1_SHA384, &json!({"alg": "RS384", "kid": "key_1"}), &claims()),
            TokenError::WrongAlgorithm,
        ),
        (
            "PS256",
            signer.sign_as(&RSA_PSS_SHA256, &json!({"alg": "PS256", "kid": "key_1"}), &claims()),
            TokenError::WrongAlgorithm,
        ),
        (
            "RS384 that says RS256",
            signer.sign_as(&RSA_PKCS1_SHA384, &json!({"alg": "RS256", "kid": "key_1"}), &claims()),
            TokenError::WrongSignature,
        ),
        ("no alg", header_of(json!({"kid": "key_1"})), TokenError::WrongAlgorithm),
        ("no kid", header_of(json!({"alg": "RS256"})), TokenError::MissingKeyId),
        (
            "a kid twice in the header",
            AccessToken::new(format!("{}.{payload}.{signature}", encode(r#"{"alg":"RS256","kid":"a","kid":"key_1"}"#))),
            TokenError::Malformed,
        ),
        ("duplicate kid", header_of(json!({"alg": "RS256", "kid": "twice"})), TokenError::DuplicateKey),
        ("crit", header_of(json!({"alg": "RS256", "kid": "key_1", "crit": ["exp"]})), TokenError::CriticalHeader),
        ("empty crit", header_of(json!({"alg": "RS256", "kid": "key_1", "crit": null})), TokenError::CriticalHeader),
        ("another key", other.sign(&claims()), TokenError::WrongSignature),
        (
            "its own key",
            other.sign_as(
                &RSA_PKCS1_SHA256,
                &json!({"alg": "RS256", "kid": "key_1", "jwk": other.jwk(), "jku": "https://evil.example"}),
                &claims(),
            ),
            TokenError::WrongSignature,
        ),
        (
            "a key for encryption",
            header_of(json!({"alg": "RS256", "kid": "for-encryption"})),
            TokenError::UnsuitableKey,
        ),
        ("a key for wrapping", header_of(json!({"alg": "RS256", "kid": "for-wrapping"})), TokenError::UnsuitableKey),
        ("a key for PS256", header_of(json!({"alg": "RS256", "kid": "for-ps256"})), TokenError::UnsuitableKey),
        ("a key of 1024 bits", header_of(json!({"alg": "RS256", "kid": "small"})), TokenError::UnsuitableKey),
        ("a key on a curve", header_of(json!({"alg": "RS256", "kid": "curve"})), TokenError::UnsuitableKey),
        ("wrong issuer", signer.sign(&with(json!({"iss": "https://evil.example"}))), TokenError::WrongIssuer),
        ("no issuer", signer.sign(&with(json!({"iss": null}))), TokenError::WrongIssuer),
        ("foreign client", signer.sign(&with(json!({"client_id": "client_456"}))), TokenError::WrongClient),
        ("no exp", signer.sign(&with(json!({"exp": null}))), TokenError::MissingClaim),
        ("no sub", signer.sign(&with(json!({"sub": null}))), TokenError::MissingClaim),
        ("no sid", signer.sign(&with(json!({"sid": null}))), TokenError::MissingClaim),
        ("exp as text", signer.sign(&with(json!({"exp": "soon"}))), TokenError::MalformedClaims),
        ("exp out of range", signer.sign(&with(json!({"exp": 1e300}))), TokenError::MalformedClaims),
        ("nbf in the future", signer.sign(&with(json!({"nbf": NOW + 3600}))), TokenError::NotYetValid),
        ("claims that aren't an object", signer.sign(&json!([1])), TokenError::MalformedClaims),
        (
            "claims as an array",
            signer.sign(&json!([
                BASE_URL,
                "user_1",
                "session_1",
                NOW + 290,
                null,
                "client_123",
                null,
                NOW,
                null,
                null,
                null,
                null,
                [],
                [],
                [],
                [],
                null,
            ])),
            TokenError::MalformedClaims,
        ),
        ("an actor as an array", signer.sign(&with(json!({"act": ["support"]}))), TokenError::MalformedClaims),
        ("a header as an array", header_of(json!(["RS256", "key_1"])), TokenError::Malformed),
        ("truncated", shortened(&signature_bytes[..250]), TokenError::WrongSignature),
        ("no signature", AccessToken::new(format!("{signed}.")), TokenError::WrongSignature),
        ("trailing bytes", AccessToken::new(format!("{good}AAAA")), TokenError::WrongSignature),
        ("a fourth part", AccessToken::new(format!("{good}.AAAA")), TokenError::Malformed),
        ("two parts", AccessToken::new(signed), TokenError::Malformed),
        ("no parts", AccessToken::new(header), TokenError::Malformed),
        ("nothing", AccessToken::new(""), TokenError::Malformed),
        ("padding", AccessToken::new(format!("{good}==")), TokenError::Malformed),
        (
            "the other base64",
            AccessToken::new(format!("{signed}.{}", signature.replace(['-', '_'], "+"))),
            TokenError::Malformed,
        ),
        ("non-canonical base64", AccessToken::new(noncanonical), TokenError::Malformed),
        ("oversized", AccessToken::new("a".repeat(16 * 1024 + 1)), TokenError::TooLarge),
    ];
    for (what, token, expected) in table {
        assert_eq!(reason(verifier.verify(&token).await), expected, "{what}");
    }
    let unknown = header_of(json!({"alg": "RS256", "kid": "unknown"}));
    let fresh = Endpoint::new(json!([signer.jwk()])).verifier();
    assert_eq!(reason(fresh.verify(&unknown).await), TokenError::UnknownKey);
    Ok(())
}

#[tokio::test]
async fn no_flipped_bit_gets_through_and_the_peer_agrees() -> Outcome {
    let signer = Signer::new("key_1");
    let verifier = Endpoint::new(json!([signer.jwk()])).verifier();
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(signer.jwk())?;
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk)?;
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_issuer(&[BASE_URL]);
    validation.validate_aud = false;
    validation.validate_exp = false;
    let token = signer.sign(&claims());
    let token = token.expose_secret();
    assert!(jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok());
    assert!(verifier.verify(&AccessToken::new(token)).await.is_ok());
    for index in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.as_bytes().to_vec();
            bytes[index] ^= 1 << bit;
            let flipped = String::from_utf8(bytes)?;
            let ours = verifier.verify(&AccessToken::new(flipped.clone())).await;
            let theirs = jsonwebtoken::decode::<Value>(&flipped, &key, &validation);
            assert!(ours.is_err() && theirs.is_err(), "bit {bit} of byte {index}: {ours:?} {theirs:?}");
        }
    }
    Ok(())
}

/// A small generator, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// 10,000 tokens, good and damaged: the same verdict as `jsonwebtoken` on signature, algorithm, time and issuer.
#[tokio::test]
async fn ten_thousand_tokens_get_the_verdict_of_the_peer() -> Outcome {
    let (signer, other) = (Signer::new("key_1"), Signer::new("key_1"));
    // The peer looks at the system's clock; no token of these is within an hour of its limits.
    let endpoint = Endpoint::at(jiff::Timestamp::now(), json!([signer.jwk()]));
    let verifier = endpoint.verifier();
    let now = jiff::Timestamp::try_from(endpoint.clock.now())?.as_second();
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(signer.jwk())?;
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk)?;
    let mut policy = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    policy.set_issuer(&[BASE_URL, &format!("{BASE_URL}/"), &format!("{BASE_URL}/user_management/client_123")]);
    policy.set_required_spec_claims(&["exp", "iss"]);
    policy.validate_aud = false;
    policy.validate_nbf = true;
    policy.leeway = 0;

    let mut dice = Dice(42);
    let (mut good, mut bad) = (0, 0);
    for round in 0..1_000 {
        let issuer = ["", "/", "/user_management/client_123", ".evil.example", "/user_management/client_456"];
        let mut claims = with(json!({
            "iss": format!("{BASE_URL}{}", issuer[dice.roll(20) % 5 * usize::from(dice.roll(2) == 0)]),
            "iat": now - 7_200,
            "exp": now + [3_600, 7_200, 1_000_000, -3_600, -1_000_000][dice.roll(5) * usize::from(dice.roll(2) == 0)],
            "permissions": (0..dice.roll(40)).map(|n| format!("resource-{n}:write")).collect::<Vec<_>>(),
        }));
        if dice.roll(4) == 0 {
            claims["nbf"] = json!(now + [-3_600, 3_600][dice.roll(2)]);
        }
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": "key_1"});
        let token = match dice.roll(8) {
            0 => other.sign(&claims),
            1 => signer.sign_as(&RSA_PKCS1_SHA384, &json!({"alg": "RS384", "kid": "key_1"}), &claims),
            2 => signer.sign_as(&RSA_PSS_SHA256, &header, &claims),
            _ => signer.sign_as(&RSA_PKCS1_SHA256, &header, &claims),
        };
        let token = token.expose_secret();
        // Each is tried as it is, and nine times damaged or spelt differently.
        for variant in 0..10 {
            let mut text = token.to_owned();
            match if variant == 0 { 9 } else { dice.roll(9) } {
                0 => text.truncate(dice.roll(text.len())),
                1 => text.insert(dice.roll(text.len()), ['.', 'A', '=', '+', ' '][dice.roll(5)]),
                2 => drop(text.remove(dice.roll(text.len()))),
                3 => text.push_str(["A", "AAAA", ".", "=", "."][dice.roll(5)]),
                4 => {
                    let (mut parts, swap) = (text.split('.').map(str::to_owned).collect::<Vec<_>>(), dice.roll(2));
                    parts.swap(swap, 2);
                    text = parts.join(".");
                }
                5..=7 => {
                    let (index, bit) = (dice.roll(text.len()), dice.roll(7));
                    let mut bytes = text.into_bytes();
                    bytes[index] ^= 1 << bit;
                    text = String::from_utf8(bytes)?;
                }
                8 => {
                    text =
                        format!("{}.{}", encode(json!({"alg": "none"}).to_string()), text.split_once('.').unwrap().1);
                }
                _ => {}
            }
            let theirs = jsonwebtoken::decode::<Value>(&text, &key, &policy).is_ok();
            let ours = verifier.verify(&AccessToken::new(text.clone())).await;
            assert_eq!(ours.is_ok(), theirs, "round {round}, variant {variant}: {ours:?} {text}");
            *if theirs { &mut good } else { &mut bad } += 1;
        }
    }
    assert_eq!(good + bad, 10_000);
    assert!(good > 200 && bad > 5_000, "{good} good, {bad} bad");
    Ok(())
}

#[tokio::test]
async fn what_was_remembered_is_checked_for_time_policy_and_key() -> Outcome {
    let signer = Signer::new("key_1");
    let endpoint = Endpoint::new(json!([signer.jwk()]));
    let verifier = endpoint.verifier().remember(100);
    let long = signer.sign(&with(json!({"exp": NOW + 100_000})));
    let short = signer.sign(&with(json!({"exp": NOW + 60})));
    for token in [&long, &short, &long, &short] {
        assert_eq!(verifier.verify(token).await?.user_id().as_str(), "user_1");
    }
    // Another policy has not accepted it yet.
    assert_eq!(reason(verifier.clone().audience("api").verify(&long).await), TokenError::WrongAudience);
    // Time: first too short for a request, then over.
    let careful = endpoint.verifier().min_ttl(Duration::from_secs(30)).remember(100);
    assert!(careful.verify(&short).await.is_ok());
    endpoint.clock.advance(Duration::from_secs(30));
    assert!(matches!(careful.verify(&short).await, Err(NotVerified::Expired(_))));
    assert!(verifier.verify(&short).await.is_ok());
    endpoint.clock.advance(Duration::from_secs(30));
    match verifier.verify(&short).await {
        Err(NotVerified::Expired(token)) => assert_eq!(token.session_id().as_str(), "session_1"),
        other => panic!("it has expired: {other:?}"),
    }
    // A key that is published again under the same name is the same key; one that isn't published any more verifies nothing.
    endpoint.clock.advance(Duration::from_secs(600));
    assert!(verifier.verify(&long).await.is_ok());
    let another = Signer::new("key_1");
    endpoint.publish(json!([another.jwk()]));
    endpoint.clock.advance(Duration::from_secs(600));
    assert_eq!(reason(verifier.verify(&long).await), TokenError::WrongSignature);
    endpoint.publish(json!([]));
    endpoint.clock.advance(Duration::from_secs(600));
    assert_eq!(reason(verifier.verify(&long).await), TokenError::UnknownKey);
    Ok(())
}

#[tokio::test]
async fn a_small_memory_forgets_and_still_verifies() -> Outcome {
    let signer = Signer::new("key_1");
    let verifier = Endpoint::new(json!([signer.jwk()])).verifier().remember(3);
    let tokens: Vec<_> = (0..20).map(|n| signer.sign(&with(json!({"jti": format!("token_{n}")})))).collect();
    for _ in 0..3 {
        for (n, token) in tokens.iter().enumerate() {
            assert_eq!(verifier.verify(token).await?.token_id(), Some(format!("token_{n}").as_str()));
        }
    }
    Ok(())
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_before_they_are_old() -> Outcome {
    let signer = Signer::new("key_1");
    let endpoint = Endpoint::new(json!([signer.jwk()]));
    let verifier = endpoint.verifier();
    let token = signer.sign(&with(json!({"exp": NOW + 100_000})));
    let clones: Vec<TokenVerifier> = (0..50).map(|_| verifier.clone()).collect();
    let checks = clones.iter().map(|verifier| verifier.verify(&token));
    for check in futures_join(checks).await {
        assert!(check.is_ok());
    }
    assert_eq!(endpoint.fetches(), 1, "one fetch for all that came at once");

    endpoint.clock.advance(Duration::from_secs(479));
    verifier.verify(&token).await?;
    assert_eq!(endpoint.fetches(), 1);
    endpoint.clock.advance(Duration::from_secs(1));
    verifier.verify(&token).await?;
    tokio::task::yield_now().await;
    assert_eq!(endpoint.fetches(), 2, "in the background, before the keys are ten minutes old");
    Ok(())
}

/// All of them at once, on this task.
async fn futures_join<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pending: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in pending.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn unknown_keys_cause_one_fetch_a_cool_down_and_rotation_fails_nobody() -> Outcome {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let endpoint = Endpoint::new(json!([old.jwk()]));
    let verifier = endpoint.verifier();
    let claims = with(json!({"exp": NOW + 100_000}));
    verifier.verify(&old.sign(&claims)).await?;
    assert_eq!(endpoint.fetches(), 1);

    let forged = new.sign_as(&RSA_PKCS1_SHA256, &json!({"alg": "RS256", "kid": "forged"}), &claims);
    for _ in 0..1000 {
        assert!(unavailable(&verifier.verify(&forged).await), "not invalid: nobody knows yet");
    }
    assert_eq!(endpoint.fetches(), 1);

    endpoint.publish(json!([old.jwk(), new.jwk()]));
    endpoint.clock.advance(Duration::from_secs(30));
    verifier.verify(&new.sign(&claims)).await?;
    verifier.verify(&old.sign(&claims)).await?;
    assert_eq!(endpoint.fetches(), 2);
    Ok(())
}

#[tokio::test]
async fn an_outage_fails_no_check_for_an_hour() -> Outcome {
    let signer = Signer::new("key_1");
    let endpoint = Endpoint::new(json!([signer.jwk()]));
    let verifier = endpoint.verifier();
    let token = signer.sign(&with(json!({"exp": NOW + 100_000})));

    endpoint.go_down();
    let error = outage(verifier.verify(&token).await);
    assert!(error.is_transient());
    assert!(std::error::Error::source(&error).is_some(), "why they are unavailable");

    // A process that has no keys yet asks again soon.
    endpoint.publish(json!([signer.jwk()]));
    endpoint.clock.advance(Duration::from_secs(4));
    assert!(unavailable(&verifier.verify(&token).await));
    endpoint.clock.advance(Duration::from_secs(1));
    verifier.verify(&token).await?;
    endpoint.go_down();
    for _ in 0..58 {
        endpoint.clock.advance(Duration::from_secs(60));
        verifier.verify(&token).await?;
        tokio::task::yield_now().await;
    }
    endpoint.clock.advance(Duration::from_secs(180));
    assert!(unavailable(&verifier.verify(&token).await));
    Ok(())
}

#[tokio::test]
async fn a_malformed_key_is_passed_over_and_the_others_serve() -> Outcome {
    let signer = Signer::new("key_1");
    let same_name = json!({"kty": "EC", "kid": "key_1", "crv": "P-256", "x": "x", "y": "y"});
    let keys = json!([
        null, 7, "key", [], ["key_1", "RSA"], {}, {"kid": 7, "kty": "RSA"}, {"kid": "odd", "kty": "RSA", "n": 5, "e": "AQAB"},
        {"kid": "key_1", "kty": "RSA", "key_ops": "verify"}, same_name, signer.jwk(), same_name,
    ]);
    let verifier = Endpoint::new(keys).verifier();
    verifier.verify(&signer.sign(&claims())).await?;

    for document in [json!([[signer.jwk()]]), json!({"keys": {"key_1": signer.jwk()}}), json!({}), json!("keys")] {
        let endpoint = Endpoint::new(json!([]));
        *endpoint.answer.lock().unwrap() = Some(document.clone());
        assert!(unavailable(&endpoint.verifier().verify(&signer.sign(&claims())).await), "{document}");
    }
    Ok(())
}

fn forged(kid: &'static str) -> AccessToken {
    Signer::new(kid).sign(&claims())
}

#[tokio::test]
async fn a_check_that_is_given_up_costs_nobody_the_keys() -> Outcome {
    let signer = Signer::new("key_1");
    let Answer::Bytes(keys) = Answer::json(200, &json!({"keys": [signer.jwk()]}).to_string()) else { panic!() };
    let server = RawServer::start([Answer::Late(Duration::from_millis(300), keys)]).await?;
    let client = public(server.base_url()).build()?;
    let verifier = client.verifier();
    let (forged, exp) = (forged("forged"), jiff::Timestamp::now().as_second() + 60);
    let good = signer.sign(&with(json!({"iss": server.base_url(), "iat": null, "exp": exp})));
    assert!(tokio::time::timeout(Duration::from_millis(100), verifier.verify(&forged)).await.is_err());
    for verifier in [verifier, client.clone().verifier()] {
        verifier.verify(&good).await?;
    }
    assert_eq!(server.requests().len(), 1, "what was begun for a caller that is gone serves the next one");
    Ok(())
}

#[tokio::test]
async fn twenty_checks_of_an_endpoint_that_stalls_send_four_attempts_at_most() -> Outcome {
    let server = RawServer::start([Answer::Stall]).await?;
    let client = public(server.base_url()).build()?;
    let (verifier, token) = (client.verifier().keys_timeout(Duration::from_secs(60)), forged("forged"));
    let began = Instant::now();
    for _ in 0..20 {
        let check = tokio::time::timeout(Duration::from_secs(12), verifier.verify(&token)).await?;
        assert!(unavailable(&check));
    }
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(12),
        "the first one waits for the whole fetch, the others for nothing: {took:?}"
    );
    assert!((1..=4).contains(&server.requests().len()), "{}", server.requests().len());
    Ok(())
}

#[tokio::test]
async fn the_pause_between_fetches_is_counted_from_the_end_of_one() {
    let clock = ManualClock::new(jiff::Timestamp::from_second(NOW).unwrap().into());
    let (time, attempts) = (clock.clone(), Arc::new(Mutex::new(0)));
    let count = Arc::clone(&attempts);
    let client = public(BASE_URL).clock(clock.clone());
    let client = client.build_with(move |_: http::Request<Bytes>| {
        *count.lock().unwrap() += 1;
        time.advance(Duration::from_secs(30));
        async { Err(TransportError::timeout()) }
    });
    let (verifier, token) = (client.unwrap().verifier(), forged("forged"));
    for _ in 0..20 {
        assert!(unavailable(&verifier.verify(&token).await));
    }
    assert!((1..=4).contains(&*attempts.lock().unwrap()));
    clock.advance(Duration::from_secs(30));
    let before = *attempts.lock().unwrap();
    assert!(unavailable(&verifier.verify(&token).await));
    assert!(*attempts.lock().unwrap() > before);
}

#[tokio::test]
async fn a_fetch_that_hangs_is_one_task_however_many_checks_there_are() -> Outcome {
    let signer = Signer::new("key_1");
    let endpoint = Endpoint::new(json!([signer.jwk()]));
    let verifier = endpoint.verifier().remember(10);
    let token = signer.sign(&with(json!({"exp": NOW + 100_000})));
    verifier.verify(&token).await?;
    endpoint.clock.advance(Duration::from_secs(9 * 60));
    endpoint.hang(true);
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    for _ in 0..20_000 {
        verifier.verify(&token).await?;
    }
    assert!(alive() <= before + 1, "{} tasks", alive() - before);
    tokio::task::yield_now().await;
    assert_eq!(endpoint.fetches(), 2);

    // The same for those who have to wait.
    let cold = Endpoint::new(json!([]));
    cold.hang(true);
    let (verifier, before) = (cold.verifier().keys_timeout(Duration::from_millis(200)), alive());
    let checks = futures_join((0..200).map(|_| verifier.verify(&token))).await;
    assert!(checks.iter().all(unavailable) && alive() <= before + 1 && cold.fetches() == 1);
    Ok(())
}

#[tokio::test]
async fn a_check_waits_for_keys_no_longer_than_it_may() -> Outcome {
    let signer = Signer::new("key_1");
    let endpoint = Endpoint::new(json!([signer.jwk()]));
    let verifier = endpoint.verifier().keys_timeout(Duration::from_millis(50));
    let token = signer.sign(&with(json!({"exp": NOW + 100_000})));
    endpoint.hang(true);
    let began = Instant::now();
    let error = outage(verifier.verify(&token).await);
    assert!(error.is_transient());
    assert!(std::error::Error::source(&error).is_some() && began.elapsed() < Duration::from_secs(5));

    // Who has good keys checks with them; they are fifteen minutes old here.
    let endpoint = Endpoint::new(json!([signer.jwk()]));
    let verifier = endpoint.verifier().keys_timeout(Duration::from_millis(50));
    verifier.verify(&token).await?;
    endpoint.clock.advance(Duration::from_secs(15 * 60));
    endpoint.hang(true);
    verifier.verify(&token).await?;
    assert!(began.elapsed() < Duration::from_secs(5));
    Ok(())
}

#[tokio::test]
async fn forged_keys_cost_one_fetch_for_all_verifiers_and_delay_no_good_token() -> Outcome {
    let signer = Signer::new("key_1");
    let endpoint = Endpoint::new(json!([signer.jwk()]));
    let client = endpoint.client();
    let verifiers: Vec<_> = (0..10).map(|_| client.clone().verifier()).collect();
    let (good, forged) = (signer.sign(&with(json!({"exp": NOW + 100_000}))), forged("forged"));
    for verifier in &verifiers {
        verifier.verify(&good).await?;
    }
    assert_eq!(endpoint.fetches(), 1);

    endpoint.clock.advance(Duration::from_secs(60));
    endpoint.hang(true);
    let hanging = verifiers[0].clone().keys_timeout(Duration::from_millis(20));
    for _ in 0..10 {
        assert!(unavailable(&hanging.verify(&forged).await));
    }
    for verifier in &verifiers {
        assert!(at_once(verifier.verify(&good)).is_ok(), "a known key waits for nothing");
    }
    assert_eq!(endpoint.fetches(), 2);
    Ok(())
}

#[tokio::test]
async fn forged_keys_bring_no_outage_to_good_tokens() -> Outcome {
    let signer = Signer::new("key_1");
    let endpoint = Endpoint::new(json!([signer.jwk()]));
    let verifier = endpoint.verifier();
    let (good, forged) = (signer.sign(&with(json!({"exp": NOW + 100_000}))), forged("forged"));
    verifier.verify(&good).await?;
    // Once a minute for three quarters of an hour, whether the endpoint answers or not.
    for minute in 0..45 {
        endpoint.clock.advance(Duration::from_secs(60));
        if minute == 5 {
            endpoint.go_down();
        }
        assert!(verifier.verify(&forged).await.is_err());
        verifier.verify(&good).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// A key that isn't published any more: it serves in an outage, and not because somebody asks at the same time.
#[tokio::test]
async fn old_keys_serve_in_an_outage_only() -> Outcome {
    let (retired, signer) = (Signer::new("retired"), Signer::new("key_1"));
    let endpoint = Endpoint::new(json!([retired.jwk()]));
    let verifier = endpoint.verifier();
    let token = retired.sign(&with(json!({"exp": NOW + 100_000})));
    verifier.verify(&token).await?;
    endpoint.publish(json!([signer.jwk()]));
    endpoint.clock.advance(Duration::from_secs(30 * 60));
    let forged = forged("forged");
    let checks = futures_join([&forged, &token, &token].into_iter().map(|token| verifier.verify(token))).await;
    assert!(checks.iter().all(Result::is_err), "{checks:?}");
    assert_eq!(endpoint.fetches(), 2);
    Ok(())
}

#[test]
fn a_fetch_whose_runtime_is_gone_is_begun_anew() -> Outcome {
    let signer = Signer::new("key_1");
    let endpoint = Endpoint::new(json!([signer.jwk()]));
    let (verifier, token) = (endpoint.verifier(), signer.sign(&claims()));
    let gone = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let here = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    endpoint.hang(true);
    let (first, same) = (verifier.clone(), token.clone());
    gone.spawn(async move { first.verify(&same).await });
    while endpoint.fetches() == 0 {
        std::thread::yield_now();
    }
    endpoint.hang(false);
    let waiting = here.spawn(async move { verifier.verify(&token).await });
    std::thread::sleep(Duration::from_millis(100));
    assert!(!waiting.is_finished(), "it waits for the fetch of the other runtime");
    gone.shutdown_background();
    let token = here.block_on(async { tokio::time::timeout(Duration::from_secs(5), waiting).await })???;
    assert_eq!((token.user_id().as_str(), endpoint.fetches()), ("user_1", 2));
    Ok(())
}

#[test]
fn no_runtime_is_needed_for_keys_that_are_at_hand_and_none_panics() -> Outcome {
    let signer = Signer::new("key_1");
    let endpoint = Endpoint::new(json!([signer.jwk()]));
    let (verifier, token) = (endpoint.verifier(), signer.sign(&with(json!({"exp": NOW + 100_000}))));
    assert!(unavailable(&at_once(verifier.verify(&token))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(verifier.verify(&token))?;
    endpoint.clock.advance(Duration::from_secs(9 * 60));
    assert!(at_once(verifier.verify(&token)).is_ok(), "old enough to be fetched anew, which nobody can do here");
    endpoint.clock.advance(Duration::from_secs(2 * 60));
    assert!(unavailable(&at_once(verifier.verify(&token))));

    // A runtime that has shut down: with a fetch of its own, and with one that another runtime has begun.
    let handle = runtime.handle().clone();
    drop(runtime);
    assert!(unavailable(&handle.block_on(verifier.verify(&token))));
    endpoint.hang(true);
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let same = (verifier.clone(), token.clone());
    other.spawn(async move { same.0.verify(&same.1).await });
    while endpoint.fetches() == 1 {
        std::thread::yield_now();
    }
    assert!(unavailable(&handle.block_on(verifier.verify(&token))));
    Ok(())
}
