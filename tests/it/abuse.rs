//! What somebody tries who wants in as another caller, wants a dead key or token to live on, or wants to hold up everybody else.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use workos_auth::api::{ApiKeyValidator, KeyNotValidated};
use workos_auth::caller::Credential;
use workos_auth::connect::{MachineClient, NotAccepted, ResourceServer};
use workos_auth::id::{ApiKeyId, Issuer, ResourceUri};
use workos_auth::secret::{BearerToken, CustomerApiKey, MachineSecret};
use workos_auth::testing::{ManualClock, Skew};
use workos_auth::transport::TransportError;
use workos_auth::{Client, ClientId, ErrorKind, ExposeSecret, TokenVerifier};

use crate::support::Outcome;
use crate::support::clients::{NOWHERE, clock, confidential, public, reply};
use crate::support::raw::{Answer, RawServer};
use crate::support::signer::{Signer, encode};

const HOUR: Duration = Duration::from_secs(3_600);

fn key(value: &str) -> CustomerApiKey {
    CustomerApiKey::new(value).unwrap()
}

fn record() -> Value {
    json!({
        "id": "api_key_1", "owner": {"type": "organization", "id": "org_1"}, "name": "", "obfuscated_value": "",
        "last_used_at": null, "permissions": [], "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    })
}

fn granted(token: &str) -> Value {
    json!({"access_token": token, "token_type": "Bearer", "expires_in": 300})
}

/// A server whose replies wait until the test lets each of them go.
#[derive(Clone)]
struct Gate {
    asked: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
}

impl Gate {
    fn new() -> Self {
        Self { asked: Arc::default(), permits: Arc::new(Semaphore::new(0)) }
    }

    async fn pass(self, body: String) -> Result<http::Response<Bytes>, TransportError> {
        self.permits.acquire().await.unwrap().forget();
        Ok(reply(200, body))
    }

    /// What a request is answered with once it passes.
    fn transport(
        &self,
        body: impl Fn(usize) -> Value + Send + Sync + 'static,
    ) -> impl workos_auth::transport::Transport {
        let gate = self.clone();
        move |_: Request<Bytes>| {
            let number = gate.asked.fetch_add(1, Ordering::SeqCst);
            gate.clone().pass(body(number).to_string())
        }
    }

    fn validator(&self, clock: &ManualClock) -> Outcome<ApiKeyValidator> {
        let transport = self.transport(|_| json!({"api_key": record()}));
        Ok(confidential(NOWHERE).clock(clock.clone()).build_with(transport)?.api_keys().validator())
    }

    async fn until_asked(&self, requests: usize) {
        while self.asked.load(Ordering::SeqCst) < requests {
            tokio::task::yield_now().await;
        }
    }
}

fn machine(clock: &ManualClock, transport: impl workos_auth::transport::Transport) -> Outcome<MachineClient> {
    let secret = MachineSecret::new("the-secret")?;
    let builder = Client::builder().clock(clock.clone());
    Ok(builder.machine_with(Issuer::new(NOWHERE)?, ClientId::new("client_machine")?, secret, transport)?)
}

/// A computer that sleeps while a request is in flight wakes up with a reply that was true an hour ago.
#[tokio::test]
async fn an_answer_from_before_the_computer_slept_makes_no_key_valid() -> Outcome {
    let (gate, clock) = (Gate::new(), clock());
    let validator = gate.validator(&clock)?.remember_valid(Duration::from_secs(30))?;
    let ask = || {
        let validator = validator.clone();
        tokio::spawn(async move { validator.validate(&key("sk_1")).await })
    };
    let early = ask();
    gate.until_asked(1).await;
    clock.advance(HOUR);
    // Meanwhile the customer has deleted the key.
    let late = ask();
    tokio::task::yield_now().await;
    gate.permits.add_permits(1);
    for answer in [early.await?, late.await?] {
        let Err(KeyNotValidated::Unavailable(error)) = answer else { panic!("{answer:?}") };
        assert!(matches!(error.kind(), ErrorKind::Timeout) && error.is_transient());
    }
    gate.permits.add_permits(1);
    assert!(validator.validate(&key("sk_1")).await.is_ok());
    assert_eq!(gate.asked.load(Ordering::SeqCst), 2);
    Ok(())
}

#[tokio::test]
async fn what_was_forgotten_in_flight_counts_as_in_flight() -> Outcome {
    let (gate, clock) = (Gate::new(), clock());
    let validator = gate.validator(&clock)?.rate(1_000)?.burst(1_000)?;
    let presented = key("sk_1");
    for _ in 0..300 {
        let mut caller = pin!(validator.validate(&presented));
        let _ = caller.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        validator.forget(&ApiKeyId::new("api_key_1")?);
    }
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(gate.asked.load(Ordering::SeqCst), 128);
    gate.permits.add_permits(128);
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    gate.permits.add_permits(1);
    assert!(validator.validate(&presented).await.is_ok(), "they have ended");
    Ok(())
}

/// `Ok` is a token that is good now.
#[tokio::test]
async fn a_machine_gets_no_token_that_has_expired() -> Outcome {
    for (expires_in, is_good) in
        [("0", false), ("-1", false), ("-1e300", false), ("1e-300", false), ("1e300", true), ("0.5", true)]
    {
        let body = format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{expires_in}}}"#);
        let transport = move |_: Request<Bytes>| {
            let body = body.clone();
            async move { Ok::<_, TransportError>(reply(200, body)) }
        };
        match machine(&clock(), transport)?.token().await {
            Ok(_) => assert!(is_good, "{expires_in}"),
            Err(error) => {
                assert!(!is_good && matches!(error.kind(), ErrorKind::UnexpectedShape), "{expires_in}: {error:?}");
            }
        }
    }
    // It is good although the issuer was busy for longer than a token lasts.
    let clock_of_issuer = clock();
    let (slow, is_busy) = (clock_of_issuer.clone(), AtomicBool::new(true));
    let transport = move |_: Request<Bytes>| {
        slow.advance(Duration::from_secs(1));
        let mut answer = reply(200, r#"{"access_token":"t","token_type":"Bearer","expires_in":5}"#);
        if is_busy.swap(false, Ordering::SeqCst) {
            slow.advance(Duration::from_secs(7));
            answer = reply(503, "{}");
        }
        async { Ok::<_, TransportError>(answer) }
    };
    let token = machine(&clock_of_issuer, transport)?.token().await?;
    let lasts = std::time::SystemTime::from(token.expires_at()).duration_since(clock_of_issuer.now())?;
    assert_eq!(lasts, Duration::from_secs(4));

    // It has come an hour late.
    let (gate, clock) = (Gate::new(), clock());
    let machine = machine(&clock, gate.transport(|number| granted(&format!("token-{number}"))))?;
    let late = tokio::spawn({
        let machine = machine.clone();
        async move { machine.token().await }
    });
    gate.until_asked(1).await;
    clock.advance(HOUR);
    gate.permits.add_permits(1);
    let error = late.await?.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout) && error.is_transient(), "{error:?}");
    gate.permits.add_permits(1);
    assert_eq!(machine.token().await?.access_token().expose_secret(), "token-1");
    Ok(())
}

struct Issued {
    server: ResourceServer,
    sessions: TokenVerifier,
}

const RESOURCE: &str = "https://api.example.com";
const NOW: i64 = 1_800_000_000;

/// A resource server, and a verifier of sessions that accepts the same issuer, as with a custom domain. They have the same keys.
fn both(keys: Value) -> Outcome<Issued> {
    let clock = ManualClock::new(jiff::Timestamp::from_second(NOW)?.into());
    let transport = move |request: Request<Bytes>| {
        let body = if request.uri().path().starts_with("/.well-known") {
            json!({"issuer": NOWHERE, "jwks_uri": format!("{NOWHERE}/oauth2/jwks")})
        } else {
            json!({"keys": keys})
        };
        async move { Ok::<_, TransportError>(reply(200, body.to_string())) }
    };
    let (issuer, resource) = (Issuer::new(NOWHERE)?, ResourceUri::new(RESOURCE)?);
    let server = Client::builder().clock(clock.clone()).resource_server_with(issuer, resource, transport.clone())?;
    let sessions = public(NOWHERE).clock(clock).build_with(transport)?.verifier().issuer(NOWHERE);
    Ok(Issued { server, sessions })
}

fn claims(sid: &str) -> Value {
    json!({
        "iss": NOWHERE, "aud": RESOURCE, "sub": "user_1", "sid": sid, "client_id": "client_123", "jti": "token_1",
        "scope": "read:posts", "iat": NOW, "exp": NOW + 300,
    })
}

/// Whatever else an issuer may write into a token: the same one is never good for both.
#[tokio::test]
async fn no_token_is_both_of_a_session_and_of_an_application() -> Outcome {
    let signer = Signer::new("key_1");
    let Issued { server, sessions } = both(json!([signer.jwk()]))?;
    for (sid, of_application, of_session) in [
        ("session_1", false, true),
        ("app_consent_1", true, false),
        ("app_grant_1", false, true),
        ("Session_1", false, true),
        ("APP_CONSENT_1", false, true),
        ("x", false, true),
    ] {
        let token = signer.sign(&claims(sid));
        let at_server = server.verify(&BearerToken::new(token.expose_secret())?).await.is_ok();
        let at_verifier = sessions.verify(&token).await.is_ok();
        assert_eq!((at_server, at_verifier), (of_application, of_session), "{sid}");
    }
    Ok(())
}

/// Claims that two parsers read differently are read by neither.
#[tokio::test]
async fn claims_that_are_there_twice_are_refused() -> Outcome {
    let signer = Signer::new("key_1");
    let Issued { server, .. } = both(json!([signer.jwk()]))?;
    let good = claims("app_consent_1").to_string();
    let sign = |payload: &str| {
        use aws_lc_rs::signature::RSA_PKCS1_SHA256;
        let header = encode(json!({"alg": "RS256", "kid": "key_1"}).to_string());
        let text = format!("{header}.{}", encode(payload));
        let mut signature = vec![0; signer.pair.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        signer.pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
        BearerToken::new(format!("{text}.{}", encode(signature))).unwrap()
    };
    assert!(server.verify(&sign(&good)).await.is_ok());
    let more = |claim: &str| format!("{},{claim}}}", &good[..good.len() - 1]);
    for payload in [
        more(r#""aud":"https://api.example.com""#),
        more(r#""a\u0075d":"https://api.example.com""#),
        more(r#""iss":"http://127.0.0.1:9""#),
        more(r#""exp":99999999999"#),
        more(r#""sub":"user_2""#),
        more(r#""s\u0069d":null"#),
        more(r#""scope":"admin""#),
        more(r#""org_id":"org_1","org_id":"org_2""#),
        format!("{good}{good}"),
        format!("[{good}]"),
        format!("\u{feff}{good}"),
        good.replace("\"https://api.example.com\"", "[\"https://api.example.com\",1]"),
        good.replace("\"https://api.example.com\"", "[[\"https://api.example.com\"]]"),
        good.replace("\"https://api.example.com\"", "{\"https://api.example.com\":1}"),
    ] {
        let refused = server.verify(&sign(&payload)).await.unwrap_err();
        assert!(matches!(refused, NotAccepted::Invalid(_)), "{payload}: {refused:?}");
    }
    Ok(())
}

/// The key of one issuer proves nothing to a server of another one, whatever it is called there.
#[tokio::test]
async fn keys_of_issuers_are_not_mixed_up() -> Outcome {
    let (ours, theirs) = (Signer::new("key_1"), Signer::new("key_1"));
    let (mine, other) = (both(json!([ours.jwk()]))?, both(json!([theirs.jwk()]))?);
    let (token, forged) = (ours.sign(&claims("app_consent_1")), theirs.sign(&claims("app_consent_1")));
    for _ in 0..3 {
        for (server, token, is_good) in [
            (&mine.server, &token, true),
            (&other.server, &forged, true),
            (&mine.server, &forged, false),
            (&other.server, &token, false),
        ] {
            assert_eq!(server.verify(&BearerToken::new(token.expose_secret())?).await.is_ok(), is_good);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_of_the_issuer_leads_nowhere() -> Outcome {
    let thief = RawServer::start([Answer::json(200, "{}")]).await?;
    let location = format!("Location: {}/\r\n", thief.base_url());
    let token = BearerToken::new(Signer::new("key_1").sign(&claims("app_consent_1")).expose_secret())?;
    for status in [301, 302, 307, 308] {
        let server = RawServer::start([Answer::with_headers(status, &location, "{}")]).await?;
        let issuer = || Issuer::new(server.base_url());
        let resource_server = Client::builder().resource_server(issuer()?, ResourceUri::new(RESOURCE)?)?;
        assert!(matches!(resource_server.verify(&token).await, Err(NotAccepted::KeysUnavailable(_))), "{status}");
        let secret = MachineSecret::new("the-secret")?;
        let machine = Client::builder().machine(issuer()?, ClientId::new("client_machine")?, secret)?;
        let error = machine.token().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::UnexpectedStatus), "{status}: {error:?}");
        assert!(!format!("{error:?} {error}").contains("the-secret"));
    }
    assert_eq!(thief.requests(), Vec::<String>::new());
    Ok(())
}

/// What comes after the scheme and isn't a token must not make a session's cookie speak for the request.
#[test]
fn a_bearer_in_disguise_is_no_session() -> Outcome {
    for value in [
        &b"Bearer\tsk_customer"[..],
        b"bearer\t\tsk_customer",
        b"Bearer \tsk_customer",
        b"Bearer\t",
        b"Bearer",
        b"Bearer,sk_customer",
        b"Bearer=sk_customer",
        b"Bearer:sk_customer",
        b"Bearer\xa0sk_customer",
        b"Bearer \xc3\xa9",
    ] {
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", http::HeaderValue::from_bytes(value)?);
        headers.insert("cookie", "workos-session=abc".parse()?);
        assert!(Credential::of(&headers).is_err(), "{}", value.escape_ascii());
    }
    Ok(())
}

/// A transport that panics fails its callers, and nothing is stuck afterwards.
#[tokio::test]
async fn a_transport_that_panics_blocks_nobody() -> Outcome {
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&is_broken);
    let transport = move |_: Request<Bytes>| {
        let broken = broken.load(Ordering::SeqCst);
        async move {
            assert!(!broken, "a bug of the transport");
            let mut body = granted("t");
            body["api_key"] = record();
            Ok::<_, TransportError>(reply(200, body.to_string()))
        }
    };
    let clock = clock();
    let validator = confidential(NOWHERE).clock(clock.clone()).build_with(transport.clone())?.api_keys().validator();
    let machine = machine(&clock, transport)?;
    for _ in 0..3 {
        assert!(matches!(validator.validate(&key("sk_1")).await, Err(KeyNotValidated::Unavailable(_))));
        assert!(machine.token().await.unwrap_err().is_transient());
    }
    is_broken.store(false, Ordering::SeqCst);
    assert!(validator.validate(&key("sk_1")).await.is_ok());
    assert!(machine.token().await.is_ok());
    assert!(format!("{validator:?}").contains("in_flight: 0"), "{validator:?}");
    Ok(())
}

/// Whichever way the time of day is changed, a key is remembered no longer than is set.
#[tokio::test]
async fn a_changed_clock_keeps_no_key_alive() -> Outcome {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let transport = move |_: Request<Bytes>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, TransportError>(reply(200, json!({"api_key": record()}).to_string())) }
    };
    let clock = clock();
    let validator = confidential(NOWHERE).clock(clock.clone()).build_with(transport)?.api_keys().validator();
    let validator = validator.remember_valid(Duration::from_secs(30))?;
    let mut expected = 0;
    for (skew, passes, is_asked) in [
        (Skew::NONE, 0, true),
        (Skew::Behind(HOUR), 29, false),
        (Skew::Behind(HOUR), 1, true),
        (Skew::NONE, 0, true),
        (Skew::Ahead(HOUR), 0, true),
        (Skew::Behind(HOUR), 29, false),
        (Skew::NONE, 1, true),
    ] {
        clock.set_skew(skew);
        clock.advance(Duration::from_secs(passes));
        assert!(validator.validate(&key("sk_1")).await.is_ok());
        expected += usize::from(is_asked);
        assert_eq!(count.load(Ordering::SeqCst), expected, "{skew:?} {passes}");
    }
    Ok(())
}

/// A request that a stopped runtime finishes late brings a token that is older than the one that took its place.
#[test]
fn a_late_token_does_not_replace_a_newer_one() -> Outcome {
    let (gate, clock) = (Gate::new(), clock());
    let machine = machine(&clock, gate.transport(|number| granted(&format!("token-{number}"))))?;
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (stopped, driven) = (runtime()?, runtime()?);
    stopped.block_on(async {
        let mut caller = pin!(machine.token());
        assert!(caller.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        gate.until_asked(1).await;
    });
    let token = driven.block_on(async {
        let newer = tokio::spawn({
            let machine = machine.clone();
            async move { machine.token().await }
        });
        gate.until_asked(2).await;
        gate.permits.add_permits(2);
        newer.await
    })??;
    assert_eq!(token.access_token().expose_secret(), "token-1");
    stopped.block_on(async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(driven.block_on(machine.token())?.access_token().expose_secret(), "token-1");
    Ok(())
}

/// A caller who is cancelled at any of its polls leaves nothing behind that holds up the next one.
#[tokio::test]
async fn callers_who_hang_up_at_any_point_hold_nobody_up() -> Outcome {
    for polls in 0..6 {
        let (gate, clock) = (Gate::new(), clock());
        let validator = gate.validator(&clock)?;
        let grants = Gate::new();
        let machine = machine(&clock, grants.transport(|_| granted("t")))?;
        let presented = key("sk_1");
        {
            let (mut caller, mut other) = (pin!(validator.validate(&presented)), pin!(machine.token()));
            for _ in 0..polls {
                let context = &mut Context::from_waker(Waker::noop());
                assert!(caller.as_mut().poll(context).is_pending() && other.as_mut().poll(context).is_pending());
                tokio::task::yield_now().await;
            }
        }
        gate.permits.add_permits(1);
        grants.permits.add_permits(1);
        assert!(validator.validate(&presented).await.is_ok() && machine.token().await.is_ok(), "{polls}");
        assert_eq!((gate.asked.load(Ordering::SeqCst), grants.asked.load(Ordering::SeqCst)), (1, 1), "{polls}");
    }
    Ok(())
}

/// A resource's path is taken literally by the router, whatever characters of URLs it has.
#[test]
fn a_strange_path_of_a_resource_is_no_pattern() -> Outcome {
    for path in ["/:a", "/*", "/*a", "/a/:b/*c", "/%7Ba%7D", "//a", "/a//", "/~$&'()+,;=@"] {
        let resource = ResourceUri::new(format!("{RESOURCE}{path}"))?;
        let server = ResourceServer::new(Issuer::new(NOWHERE)?, resource)?;
        let _: axum::Router = server.routes();
        assert!(server.metadata_path().ends_with(path), "{path}");
    }
    Ok(())
}

/// Made-up keys in each gap, with every rate and burst: a key that is known and asks half as often as is allowed is never turned away.
#[tokio::test]
async fn made_up_keys_take_nothing_that_is_reserved() -> Outcome {
    for (rate, burst) in [(1, 2), (1, 3), (3, 2), (7, 5), (25, 50), (1_000, 2), (1_000, 1_000)] {
        let transport = move |request: Request<Bytes>| async move {
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let record = if body["value"] == "sk_good" { record() } else { Value::Null };
            Ok::<_, TransportError>(reply(200, json!({"api_key": record}).to_string()))
        };
        let clock = clock();
        let client = confidential(NOWHERE).clock(clock.clone()).build_with(transport)?;
        let validator = client.api_keys().validator().rate(rate)?.burst(burst)?;
        assert!(validator.validate(&key("sk_good")).await.is_ok());
        let gap = Duration::from_secs(1) / rate / 2;
        let mut asked = 0;
        for number in 0..200_u32 {
            // Four gaps are two requests.
            if number % 4 == 0 {
                assert!(validator.validate(&key("sk_good")).await.is_ok(), "{rate} {burst} {number}");
            }
            for made_up in 0..3 {
                let answer = validator.validate(&key(&format!("sk_{number}_{made_up}"))).await;
                asked += u32::from(matches!(answer, Err(KeyNotValidated::Invalid)));
            }
            clock.advance(gap);
        }
        // The rate gives a hundred in this time, of which the good key has had fifty; and at first there is a bucket. A gap that is a
        // nanosecond too short costs the made-up ones a request.
        assert!((20..=50 + burst).contains(&asked), "{rate} {burst}: {asked}");
    }
    Ok(())
}

/// What gets through a real server is one credential, read as it was written.
#[tokio::test]
async fn headers_that_servers_read_differently_identify_nobody() -> Outcome {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let app = axum::Router::new().route(
        "/",
        axum::routing::get(async |headers: http::HeaderMap| match Credential::of(&headers) {
            Ok(Credential::Session) => "it is a session",
            Ok(Credential::Key(key)) if key.expose_secret() == "sk_1" => "it is a key",
            Ok(Credential::Key(_) | Credential::Token(_)) => "it is another one",
            Err(_) => "it is unclear",
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    for (header, found) in [
        (&b"Authorization: Bearer sk_1\r\n"[..], "it is a key"),
        (b"authorization:Bearer sk_1  \r\n", "it is a key"),
        (b"Authorization: Basic YTpi\r\n", "it is a session"),
        (b"Authorization: Bearer sk_1\r\nauthorization: Bearer sk_2\r\n", "it is unclear"),
        (b"Authorization: Basic YTpi\r\nAuthorization: Bearer sk_1\r\n", "it is unclear"),
        (b"Authorization: Bearer sk_1, Bearer sk_2\r\n", "it is unclear"),
        (b"Authorization: Bearer sk_1,Basic YTpi\r\n", "it is unclear"),
        (b"Authorization: Bearer\tsk_1\r\n", "it is unclear"),
        (b"Authorization: Bearer \xe4sk_1\r\n", "it is unclear"),
        (b"Authorization: Bearer \"sk_1\"\r\n", "it is unclear"),
        (b"Authorization: Bearer realm=\"a\"\r\n", "it is unclear"),
        // The server itself refuses these.
        (b"Authorization: Bearer\r\n sk_1\r\n", "400 Bad Request"),
        (b"Authorization: Bearer sk_1\r\n sk_2\r\n", "400 Bad Request"),
        (b"Authorization : Bearer sk_1\r\n", "400 Bad Request"),
        (b"Authorization: Bearer sk_1\0\r\n", "400 Bad Request"),
        (b"Authorization: Bearer sk_1\rX: y\r\n", "400 Bad Request"),
    ] {
        let mut connection = tokio::net::TcpStream::connect(address).await?;
        let request =
            [b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: workos-session=abc\r\n", header, b"\r\n"]
                .concat();
        connection.write_all(&request).await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.contains(found), "{}: {answer}", header.escape_ascii());
    }
    server.abort();
    Ok(())
}

/// While WorkOS doesn't answer, made-up keys fill their half of the requests in flight, and good ones go on.
#[tokio::test]
async fn made_up_keys_that_hang_leave_room_for_good_ones() -> Outcome {
    let (gate, clock) = (Gate::new(), clock());
    let hangs = gate.clone();
    let transport = move |request: Request<Bytes>| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let (gate, is_good) = (hangs.clone(), body["value"] == "sk_good");
        async move {
            if is_good {
                Ok(reply(200, json!({"api_key": record()}).to_string()))
            } else {
                gate.asked.fetch_add(1, Ordering::SeqCst);
                gate.pass(json!({"api_key": null}).to_string()).await
            }
        }
    };
    let client = confidential(NOWHERE).clock(clock.clone()).build_with(transport)?;
    let validator = client.api_keys().validator().rate(1_000)?.burst(1_000)?;
    assert!(validator.validate(&key("sk_good")).await.is_ok());
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..400 {
        let validator = validator.clone();
        callers.spawn(async move { validator.validate(&key(&format!("sk_{number}"))).await });
    }
    gate.until_asked(128).await;
    for _ in 0..300 {
        assert!(validator.validate(&key("sk_good")).await.is_ok());
    }
    gate.permits.add_permits(128);
    let answers = callers.join_all().await;
    let refused = answers.iter().filter(|answer| matches!(answer, Err(KeyNotValidated::Invalid))).count();
    assert_eq!((refused, gate.asked.load(Ordering::SeqCst)), (128, 128));
    Ok(())
}

/// A caller who comes after a key was revoked and forgotten is never told that it is good, whatever is in flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_interleaving_revives_a_revoked_key() -> Outcome {
    let is_valid = Arc::new(AtomicBool::new(true));
    let known = Arc::clone(&is_valid);
    let number = Arc::new(AtomicUsize::new(0));
    let transport = move |_: Request<Bytes>| {
        let (known, number) = (Arc::clone(&known), number.fetch_add(1, Ordering::SeqCst));
        async move {
            // WorkOS looks at some point, and its reply takes some time.
            for _ in 0..number % 5 {
                tokio::task::yield_now().await;
            }
            let record = if known.load(Ordering::SeqCst) { record() } else { Value::Null };
            for _ in 0..number % 7 {
                tokio::task::yield_now().await;
            }
            Ok::<_, TransportError>(reply(200, json!({"api_key": record}).to_string()))
        }
    };
    let clock = ManualClock::ticking(std::time::SystemTime::now());
    let client = confidential(NOWHERE).clock(clock.clone()).build_with(transport)?;
    let validator = client.api_keys().validator().rate(1_000)?.burst(1_000)?.remember_valid(Duration::from_secs(30))?;
    let mut revoked = 0;
    for round in 0..300_u32 {
        is_valid.store(true, Ordering::SeqCst);
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let validator = validator.clone();
            callers.spawn(async move {
                for _ in 0..4 {
                    let _ = validator.validate(&key("sk_1")).await;
                    tokio::task::yield_now().await;
                }
            });
        }
        for _ in 0..round % 11 {
            tokio::task::yield_now().await;
        }
        is_valid.store(false, Ordering::SeqCst);
        validator.forget(&ApiKeyId::new("api_key_1")?);
        for _ in 0..3 {
            let answer = validator.validate(&key("sk_1")).await;
            assert!(answer.is_err(), "{round}: {answer:?}");
            revoked += u32::from(matches!(answer, Err(KeyNotValidated::Invalid)));
        }
        callers.join_all().await;
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(revoked, 900, "nobody was turned away for another reason");
    Ok(())
}

/// A key in the body of a request is as short and plain as one in a header: nobody sends WorkOS large texts through the application.
#[test]
fn a_key_that_is_deserialized_is_parsed() {
    let (longest, too_long) = ("k".repeat(512), "k".repeat(513));
    for (text, is_good) in [
        ("sk_1", true),
        (&longest, true),
        (&too_long, false),
        ("", false),
        ("sk 1", false),
        ("sk_\u{e4}", false),
        ("a\nb", false),
    ] {
        let parsed: Result<CustomerApiKey, _> = serde_json::from_value(json!(text));
        assert_eq!(parsed.is_ok(), is_good, "{text:?}");
        let Err(error) = parsed else { continue };
        assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
    }
}
