//! The API keys of an application's customers: each request byte for byte, each answer, and the validator under load.

use std::future::ready;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use workos_auth::api::{
    ApiKeyOwner, ApiKeyValidator, CreateOrganizationApiKey, CreateUserApiKey, KeyNotValidated, Order, ValidApiKey,
};
use workos_auth::error::{CustomerKeyError, NoBearerToken};
use workos_auth::handlers::{Permission, PermittedKey};
use workos_auth::id::ApiKeyId;
use workos_auth::secret::CustomerApiKey;
use workos_auth::testing::{AuthKit, Endpoint, Fault, ManualClock, TestApiKey, TestUser};
use workos_auth::transport::TransportError;
use workos_auth::{ConfidentialClient, Error, ErrorKind, ExposeSecret, OrganizationId, UserId};

use crate::support::Outcome;
use crate::support::adapter::{Adapter, with_each_adapter};
use crate::support::capture::{Recorder, assert_bytes};
use crate::support::clients::{NOWHERE, clock, confidential, reply};
use crate::support::process::passed_alone;
use crate::support::raw::{Answer, RawServer, free_address};
use crate::support::scripted::prompt_api;

const VALIDATION: Endpoint = Endpoint::ApiKeyValidation;
const TIME: &str = "2026-01-15T12:00:00Z";
const LATER: &str = "2026-01-16T12:00:00Z";

fn key(value: &str) -> CustomerApiKey {
    CustomerApiKey::new(value).unwrap()
}

fn record() -> Value {
    json!({
        "object": "api_key", "id": "api_key_1", "owner": {"type": "user", "id": "user_1", "organization_id": "org_1"},
        "name": "Production", "obfuscated_value": "sk_...7890", "last_used_at": TIME, "expires_at": LATER,
        "permissions": ["posts:read", "posts:write"], "created_at": TIME, "updated_at": LATER,
    })
}

fn bare_record() -> Value {
    json!({
        "id": "api_key_1", "owner": {"type": "organization", "id": "org_1"}, "name": "", "obfuscated_value": "",
        "last_used_at": null, "permissions": [], "created_at": TIME, "updated_at": LATER,
    })
}

/// What the API is asked about a key.
fn value(request: &Value) -> &str {
    request["value"].as_str().unwrap()
}

/// An API that calls these keys valid, and the number of requests it got.
fn knowing(good: &'static [&'static str], clock: &ManualClock) -> Outcome<(ConfidentialClient, Arc<AtomicUsize>)> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let api = prompt_api(move |request| {
        counted.fetch_add(1, Ordering::SeqCst);
        let valid = good.contains(&value(&request));
        (200, json!({"api_key": if valid { bare_record() } else { Value::Null }}))
    });
    Ok((confidential(NOWHERE).clock(clock.clone()).build_with(api)?, count))
}

fn is_invalid(answer: &Result<ValidApiKey, KeyNotValidated>) -> bool {
    matches!(answer, Err(KeyNotValidated::Invalid))
}

fn is_limited(answer: &Result<ValidApiKey, KeyNotValidated>) -> bool {
    matches!(answer, Err(KeyNotValidated::TooManyRequests { .. }))
}

#[tokio::test]
async fn each_request_is_pinned_and_each_answer_is_read() -> Outcome {
    let recorder = Recorder::start().await;
    let client = confidential(recorder.base_url()).build()?;
    let keys = client.api_keys();
    let (organization, user) = (OrganizationId::new("org_1")?, UserId::new("user_1")?);
    let pin = |name: &str| assert_bytes(name, recorder.take());

    recorder.reply(json!({"api_key": record(), "agent_registration_id": "agent_reg_1"}));
    let valid = keys.validate(&key("sk_customer\"1")).await?;
    pin("api_keys_validate.http");
    let owner = ApiKeyOwner::User { id: user.clone(), organization_id: organization.clone() };
    assert_eq!((valid.id().as_str(), valid.owner(), valid.organization_id()), ("api_key_1", &owner, &organization));
    assert_eq!(valid.owner().user_id(), Some(&user));
    assert_eq!(valid.permissions(), ["posts:read", "posts:write"]);
    assert_eq!(valid.agent_registration_id().map(ToString::to_string).as_deref(), Some("agent_reg_1"));
    assert!(format!("{valid:?}").starts_with("ValidApiKey(ApiKeyRecord { id: ApiKeyId(api_key_1)"), "{valid:?}");
    let mut sent = record();
    sent.as_object_mut().unwrap().remove("object");
    assert_eq!(serde_json::to_value(valid.record())?, sent);
    recorder.reply(json!({"api_key": bare_record()}));
    let valid = keys.validate(&key("sk_customer")).await?;
    recorder.take();
    assert_eq!(valid.owner(), &ApiKeyOwner::Organization { id: organization.clone() });
    assert_eq!((valid.owner().user_id(), valid.agent_registration_id()), (None, None));
    assert_eq!((valid.permissions().len(), valid.record().expires_at, valid.record().last_used_at), (0, None, None));

    recorder.reply(json!({"data": [record()], "list_metadata": {"before": null, "after": "api_key_1"}}));
    let page = keys.list_of_organization(&organization).send().await?;
    pin("api_keys_list_of_organization.http");
    assert_eq!((page.data.len(), page.data[0].id.as_str(), page.after.as_deref()), (1, "api_key_1", Some("api_key_1")));
    keys.list_of_organization(&organization).limit(5).order(Order::Ascending).after("api_key_0").send().await?;
    pin("api_keys_list_of_organization_full.http");
    keys.list_of_user(&user, None).send().await?;
    pin("api_keys_list_of_user.http");
    keys.list_of_user(&user, Some(&organization)).limit(5).before("api_key_9").send().await?;
    pin("api_keys_list_of_user_full.http");

    let mut created = record();
    created["value"] = json!("sk_new");
    recorder.reply(&created);
    let new = CreateOrganizationApiKey::new("Production");
    let created = keys.create_for_organization(&organization, &new).send().await?;
    pin("api_keys_create_for_organization.http");
    assert_eq!(created.record.name, "Production");
    assert_eq!(created.into_value().expose_secret(), "sk_new");
    let new = new.permissions(["posts:read"]);
    drop(keys.create_for_organization(&organization, &new).send().await?);
    pin("api_keys_create_for_organization_full.http");
    let new = CreateUserApiKey::new("Laptop", organization.clone());
    drop(keys.create_for_user(&user, &new).send().await?);
    pin("api_keys_create_for_user.http");
    let new = new.permissions(["posts:read"]).expires_at(LATER.parse()?);
    drop(keys.create_for_user(&user, &new).send().await?);
    pin("api_keys_create_for_user_full.http");

    recorder.reply("");
    keys.delete(valid.id()).send().await?;
    pin("api_keys_delete.http");
    Ok(())
}

#[tokio::test]
async fn only_null_says_that_a_key_is_invalid() -> Outcome {
    let unknown_owner = json!({"type": "team", "id": "team_1"});
    let mut of_unknown = record();
    of_unknown["owner"] = unknown_owner;
    let answers = Mutex::new(vec![
        (200, json!({"api_key": null})),
        (200, json!({})),
        (200, json!({"api_key": {}})),
        (200, json!({"api_key": of_unknown})),
        (200, json!({"api_key": true})),
        (401, json!({"message": "Unauthorized"})),
        (404, json!({"message": "Not Found"})),
        (422, json!({"code": "unprocessable_entity", "message": "sk_canary is wrong"})),
    ]);
    let count = answers.lock().unwrap().len();
    let client = confidential(NOWHERE).build_with(prompt_api(move |_| answers.lock().unwrap().remove(0)))?;
    assert!(is_invalid(&client.api_keys().validate(&key("sk_1")).await));
    for _ in 1..count {
        let not_validated = client.api_keys().validate(&key("sk_1")).await.unwrap_err();
        assert!(matches!(not_validated, KeyNotValidated::Unavailable(_)), "{not_validated:?}");
        assert_eq!(not_validated.response().status(), 503);
        assert!(!format!("{not_validated:?} {not_validated}").contains("canary"));
    }
    Ok(())
}

/// An outage says nothing about a key, whoever asks; a validation is sent again as the table says.
async fn outages(adapter: Adapter) -> Outcome {
    let error = r#"{"message":"try later"}"#;
    for (answer, requests, kind) in [
        (Some(Answer::json(503, error)), 4, "API"),
        (Some(Answer::json(429, error)), 4, "API"),
        (Some(Answer::json(501, error)), 1, "API"),
        (Some(Answer::Reset(Vec::new())), 4, "interrupted"),
        (Some(Answer::Close), 4, "interrupted"),
        (Some(Answer::Stall), 4, "timeout"),
        (Some(Answer::json(200, "<html>")), 1, "not JSON"),
        (None, 0, "not sent"),
    ] {
        let server = match answer.clone() {
            Some(answer) => Some(RawServer::start([answer]).await?),
            None => None,
        };
        let url = match &server {
            Some(server) => server.base_url(),
            None => format!("http://{}", free_address().await?),
        };
        // Short only where it is waited for: the machine may be busy.
        let timeout = Duration::from_millis(if kind == "timeout" { 400 } else { 5_000 });
        let client = adapter.build(confidential(url).clock(clock()).timeout(timeout))?;
        let validator = client.api_keys().validator().remember_invalid(Duration::from_secs(5))?;
        for (asked, answer) in [client.api_keys().validate(&key("sk_1")).await, validator.validate(&key("sk_1")).await]
            .into_iter()
            .enumerate()
        {
            let Err(KeyNotValidated::Unavailable(error)) = answer else { panic!("{kind}: {answer:?}") };
            let found = match error.kind() {
                ErrorKind::Api(_) => "API",
                ErrorKind::Interrupted => "interrupted",
                ErrorKind::Timeout => "timeout",
                ErrorKind::NotJson => "not JSON",
                ErrorKind::NotSent => "not sent",
                other => panic!("{other:?}"),
            };
            assert_eq!((found, asked), (kind, asked));
        }
        if let Some(server) = server {
            assert_eq!(server.requests().len(), 2 * requests, "{kind}");
        }
    }
    Ok(())
}
with_each_adapter!(outages);

#[tokio::test]
async fn an_outage_is_not_remembered() -> Outcome {
    let authkit = AuthKit::builder()
        .customer_api_key(TestApiKey::of_organization("sk_1", "org_1"))
        .clock(clock())
        .start()
        .await?;
    let seconds = Duration::from_secs(5);
    let validator =
        authkit.confidential_client().api_keys().validator().remember_valid(seconds)?.remember_invalid(seconds)?;
    authkit.inject(VALIDATION, Fault::Status(503, Some(1)), 4);
    let not_validated = validator.validate(&key("sk_1")).await.unwrap_err();
    assert_eq!(not_validated.response().headers()["retry-after"], "1");
    assert!(validator.validate(&key("sk_1")).await.is_ok());
    assert_eq!(authkit.requests_to(VALIDATION), 5);
    Ok(())
}

/// An API that answers one request for each permit, and what it was asked.
struct Waiting {
    client: ConfidentialClient,
    asked: Arc<Mutex<Vec<String>>>,
    permits: Arc<Semaphore>,
}

impl Waiting {
    fn start() -> Outcome<Self> {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let permits = Arc::new(Semaphore::new(0));
        let (seen, gate) = (Arc::clone(&asked), Arc::clone(&permits));
        let transport = move |request: Request<Bytes>| {
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            seen.lock().unwrap().push(value(&body).to_owned());
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok::<_, TransportError>(reply(200, json!({"api_key": bare_record()}).to_string()))
            }
        };
        Ok(Self { client: confidential(NOWHERE).clock(clock()).build_with(transport)?, asked, permits })
    }

    /// Until this many requests have arrived.
    async fn until_asked(&self, requests: usize) {
        while self.asked.lock().unwrap().len() < requests {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_callers_send_one_request() -> Outcome {
    let api = Waiting::start()?;
    let validator = api.client.api_keys().validator();
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let validator = validator.clone();
        callers.spawn(async move { validator.validate(&key("sk_1")).await.map(|key| key.id().to_string()) });
    }
    api.until_asked(1).await;
    // All of them wait by now, or come when the request is in flight.
    while api.permits.available_permits() == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        api.permits.add_permits(1);
    }
    for answer in callers.join_all().await {
        assert_eq!(answer?, "api_key_1");
    }
    assert_eq!(*api.asked.lock().unwrap(), ["sk_1"]);

    // Nothing is remembered: the next one asks.
    api.permits.add_permits(1);
    assert!(validator.validate(&key("sk_1")).await.is_ok());
    assert_eq!(api.asked.lock().unwrap().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_caller_who_hangs_up_takes_nobody_along() -> Outcome {
    let api = Waiting::start()?;
    let validator = api.client.api_keys().validator();
    let presented = key("sk_1");
    {
        let mut first = pin!(validator.validate(&presented));
        assert!(matches!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
        api.until_asked(1).await;
    }
    let second = tokio::spawn({
        let validator = validator.clone();
        async move { validator.validate(&key("sk_1")).await }
    });
    tokio::task::yield_now().await;
    api.permits.add_permits(1);
    assert!(second.await?.is_ok());
    assert_eq!(api.asked.lock().unwrap().len(), 1);
    Ok(())
}

#[test]
fn a_runtime_that_has_ended_holds_nobody_up() -> Outcome {
    let api = Waiting::start()?;
    let validator = api.client.api_keys().validator();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    {
        let first = runtime()?;
        first.block_on(async {
            let presented = key("sk_1");
            let mut caller = pin!(validator.validate(&presented));
            assert!(caller.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            api.until_asked(1).await;
        });
    }
    api.permits.add_permits(1);
    assert!(runtime()?.block_on(validator.validate(&key("sk_1"))).is_ok());
    assert_eq!(api.asked.lock().unwrap().len(), 2);
    Ok(())
}

#[tokio::test]
async fn nothing_is_remembered_unless_it_is_switched_on() -> Outcome {
    let (client, count) = knowing(&["sk_good"], &clock())?;
    let validator = client.api_keys().validator();
    for asked in 1..=3 {
        assert!(validator.validate(&key("sk_good")).await.is_ok());
        assert_eq!(count.load(Ordering::SeqCst), asked);
    }
    for asked in 4..=6 {
        assert!(is_invalid(&validator.validate(&key("sk_bad")).await));
        assert_eq!(count.load(Ordering::SeqCst), asked);
    }
    Ok(())
}

#[tokio::test]
async fn a_good_key_is_remembered_from_its_answer_on() -> Outcome {
    let clock = clock();
    let (client, count) = knowing(&["sk_good"], &clock)?;
    let validator = client.api_keys().validator().remember_valid(Duration::from_secs(5))?;
    let check = async |asked| {
        assert!(validator.validate(&key("sk_good")).await.is_ok());
        assert_eq!(count.load(Ordering::SeqCst), asked);
    };
    check(1).await;
    for _ in 0..4 {
        // Its use makes it no younger.
        clock.advance(Duration::from_secs(1));
        check(1).await;
    }
    clock.advance(Duration::from_millis(999));
    check(1).await;
    clock.advance(Duration::from_millis(1));
    check(2).await;
    check(2).await;
    // Another key is another one.
    assert!(is_invalid(&validator.validate(&key("sk_good2")).await));
    assert_eq!(count.load(Ordering::SeqCst), 3);
    Ok(())
}

#[tokio::test]
async fn a_bad_key_is_remembered_as_long_as_is_set() -> Outcome {
    let clock = clock();
    let (client, count) = knowing(&[], &clock)?;
    let validator = client.api_keys().validator().remember_invalid(Duration::from_secs(2))?;
    for (wait, asked) in [(0, 1), (0, 1), (1_999, 1), (1, 2), (1_999, 2), (1, 3)] {
        clock.advance(Duration::from_millis(wait));
        assert!(is_invalid(&validator.validate(&key("sk_bad")).await));
        assert_eq!(count.load(Ordering::SeqCst), asked, "{wait} ms later");
    }
    Ok(())
}

#[tokio::test]
async fn no_key_is_remembered_longer_than_it_lasts() -> Outcome {
    let clock = clock();
    let end: SystemTime = clock.now() + Duration::from_secs(3);
    let user = TestUser::new("ada@example.com").organization("org_1");
    let of_ada = TestApiKey::of_user("sk_1", "ada@example.com", "org_1").expires_at(end);
    let authkit = AuthKit::builder().user(user).customer_api_key(of_ada).clock(clock.clone()).start().await?;
    let validator = authkit.confidential_client().api_keys().validator().remember_valid(Duration::from_secs(30))?;
    for (wait, is_good, asked) in [(0, true, 1), (2_999, true, 1), (1, false, 2)] {
        clock.advance(Duration::from_millis(wait));
        assert_eq!(validator.validate(&key("sk_1")).await.is_ok(), is_good, "{wait} ms later");
        assert_eq!(authkit.requests_to(VALIDATION), asked, "{wait} ms later");
    }
    Ok(())
}

#[tokio::test]
async fn a_deleted_key_is_dead_when_its_answer_is_old_or_forgotten() -> Outcome {
    let clock = clock();
    let authkit = AuthKit::builder()
        .customer_api_key(TestApiKey::of_organization("sk_1", "org_1"))
        .customer_api_key(TestApiKey::of_organization("sk_2", "org_1"))
        .customer_api_key(TestApiKey::of_organization("sk_3", "org_1"))
        .clock(clock.clone())
        .start()
        .await?;
    let client = authkit.confidential_client();
    let validator = client.api_keys().validator().remember_valid(Duration::from_secs(5))?;
    let mut ids = Vec::new();
    for name in ["sk_1", "sk_2", "sk_3"] {
        ids.push(validator.validate(&key(name)).await?.id().clone());
    }
    client.api_keys().delete(&ids[0]).send().await?;
    client.api_keys().delete(&ids[1]).send().await?;
    assert_eq!(client.api_keys().delete(&ids[1]).send().await.unwrap_err().status(), Some(StatusCode::NOT_FOUND));
    assert!(validator.validate(&key("sk_1")).await.is_ok(), "still remembered");
    validator.forget(&ids[1]);
    assert!(is_invalid(&validator.validate(&key("sk_2")).await));
    assert!(validator.validate(&key("sk_1")).await.is_ok(), "only the other one is forgotten");
    clock.advance(Duration::from_secs(5));
    assert!(is_invalid(&validator.validate(&key("sk_1")).await));
    assert!(validator.validate(&key("sk_3")).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn what_is_forgotten_does_not_come_back_with_a_late_answer() -> Outcome {
    let api = Waiting::start()?;
    let validator = api.client.api_keys().validator().remember_valid(Duration::from_secs(5))?;
    let ask = || {
        let validator = validator.clone();
        tokio::spawn(async move { validator.validate(&key("sk_1")).await })
    };
    let early = ask();
    api.until_asked(1).await;
    validator.forget(&ApiKeyId::new("api_key_1")?);
    api.permits.add_permits(1);
    assert!(early.await?.is_ok());

    // It wasn't remembered. The next request is in flight when the key is forgotten again, so a later caller sends another one.
    let early = ask();
    api.until_asked(2).await;
    validator.forget(&ApiKeyId::new("api_key_1")?);
    let late = ask();
    api.until_asked(3).await;
    api.permits.add_permits(2);
    assert!(early.await?.is_ok() && late.await?.is_ok());
    for _ in 0..3 {
        // The answer to the last one is remembered.
        assert!(validator.validate(&key("sk_1")).await.is_ok());
        assert_eq!(api.asked.lock().unwrap().len(), 3);
    }
    Ok(())
}

/// The time that a request takes counts: a key may have been deleted as soon as WorkOS has looked.
#[tokio::test]
async fn a_slow_answer_is_remembered_for_less() -> Outcome {
    let clock = clock();
    let (waits, count) = (clock.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    let api = prompt_api(move |_| {
        waits.advance(Duration::from_secs(2));
        counted.fetch_add(1, Ordering::SeqCst);
        (200, json!({"api_key": bare_record()}))
    });
    let client = confidential(NOWHERE).clock(clock.clone()).build_with(api)?;
    let validator = client.api_keys().validator().remember_valid(Duration::from_secs(5))?;
    for (wait, asked) in [(0, 1), (2_999, 1), (1, 2)] {
        clock.advance(Duration::from_millis(wait));
        assert!(validator.validate(&key("sk_1")).await.is_ok());
        assert_eq!(count.load(Ordering::SeqCst), asked, "{wait} ms later");
    }
    Ok(())
}

#[tokio::test]
async fn it_remembers_so_many_keys_and_no_more() -> Outcome {
    let (client, count) = knowing(&["sk_1", "sk_2", "sk_3"], &clock())?;
    let validator = client.api_keys().validator().remember_valid(Duration::from_secs(5))?.capacity(2)?;
    for name in ["sk_1", "sk_2", "sk_2", "sk_1", "sk_3", "sk_3"] {
        assert!(validator.validate(&key(name)).await.is_ok());
    }
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let debug = format!("{validator:?}");
    assert!(debug.contains("known_good: 2, known_bad: 0, in_flight: 0"), "{debug}");
    // The one that was not used for the longest time has gone.
    assert!(validator.validate(&key("sk_2")).await.is_ok());
    assert_eq!(count.load(Ordering::SeqCst), 4);
    Ok(())
}

#[tokio::test]
async fn made_up_keys_displace_no_good_one() -> Outcome {
    let (client, count) = knowing(&["sk_good"], &clock())?;
    let (valid, invalid) = (Duration::from_secs(30), Duration::from_secs(5));
    let validator = client.api_keys().validator().rate(1_000)?.burst(1_000)?.capacity(10)?;
    let validator = validator.remember_valid(valid)?.remember_invalid(invalid)?;
    assert!(validator.validate(&key("sk_good")).await.is_ok());
    for number in 0..400 {
        assert!(is_invalid(&validator.validate(&key(&format!("sk_made_up_{number}"))).await));
    }
    let debug = format!("{validator:?}");
    assert!(debug.contains("known_good: 1, known_bad: 10, in_flight: 0"), "{debug}");
    assert_eq!(count.load(Ordering::SeqCst), 401);
    // It is remembered as before, and so are the newest of the others.
    assert!(validator.validate(&key("sk_good")).await.is_ok());
    assert!(is_invalid(&validator.validate(&key("sk_made_up_399")).await));
    assert_eq!(count.load(Ordering::SeqCst), 401);
    Ok(())
}

#[test]
fn settings_have_bounds() -> Outcome {
    let client = confidential(NOWHERE).build()?;
    let new = || client.api_keys().validator();
    let field = |result: Result<ApiKeyValidator, Error>| match result.map(drop).unwrap_err().kind() {
        ErrorKind::InvalidValue { field, .. } => *field,
        other => panic!("{other:?}"),
    };
    let over = |seconds| Duration::from_secs(seconds) + Duration::from_nanos(1);
    assert_eq!(field(new().remember_valid(over(30))), "remember_valid");
    assert_eq!(field(new().remember_invalid(over(5))), "remember_invalid");
    assert_eq!([field(new().rate(0)), field(new().rate(1_001))], ["rate", "rate"]);
    assert_eq!([field(new().burst(1)), field(new().burst(1_001))], ["burst", "burst"]);
    assert_eq!([field(new().capacity(1)), field(new().capacity(1_000_001))], ["capacity", "capacity"]);
    let (valid, invalid) = (Duration::from_secs(30), Duration::from_secs(5));
    let most =
        new().remember_valid(valid)?.remember_invalid(invalid)?.rate(1_000)?.burst(1_000)?.capacity(1_000_000)?;
    drop(most.rate(1)?.burst(2)?.capacity(2)?);
    Ok(())
}

#[tokio::test]
async fn keys_that_may_not_be_asked_about_are_not_invalid() -> Outcome {
    let clock = clock();
    let (client, count) = knowing(&["sk_good", "sk_new"], &clock)?;
    let validator = client.api_keys().validator().rate(10)?.burst(20)?;
    assert!(validator.validate(&key("sk_good")).await.is_ok());
    let mut counts = (0, 0);
    for number in 0..1_000 {
        let answer = validator.validate(&key(&format!("sk_made_up_{number}"))).await;
        counts.0 += usize::from(is_invalid(&answer));
        counts.1 += usize::from(is_limited(&answer));
    }
    assert_eq!((counts, count.load(Ordering::SeqCst)), ((9, 991), 10), "half of the burst, less one");

    // A good key that nobody has seen can't be told from a made-up one. It is told when to come again.
    let limited = validator.validate(&key("sk_new")).await.unwrap_err();
    let KeyNotValidated::TooManyRequests { retry_after } = limited else { panic!("{limited:?}") };
    assert_eq!(retry_after, Duration::from_millis(100));
    // What is known to have been good has the other half to itself.
    for _ in 0..10 {
        assert!(validator.validate(&key("sk_good")).await.is_ok());
    }
    assert!(is_limited(&validator.validate(&key("sk_good")).await));
    assert_eq!(count.load(Ordering::SeqCst), 20, "the burst");

    // In each second there are ten more, and the known one goes first.
    clock.advance(Duration::from_secs(1));
    assert!(is_limited(&validator.validate(&key("sk_new")).await));
    for _ in 0..10 {
        assert!(validator.validate(&key("sk_good")).await.is_ok());
    }
    assert_eq!(count.load(Ordering::SeqCst), 30);
    clock.advance(Duration::from_millis(1_100));
    assert!(validator.validate(&key("sk_new")).await.is_ok());
    // Not for ever: a key that was good more than an hour ago is as any other.
    clock.advance(Duration::from_secs(3_600));
    for number in 0..10 {
        assert!(is_invalid(&validator.validate(&key(&format!("sk_made_up_{number}"))).await));
    }
    assert!(is_limited(&validator.validate(&key("sk_good")).await));
    Ok(())
}

#[tokio::test]
async fn retries_count_against_the_rate() -> Outcome {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let clock = clock();
    let api = prompt_api(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        (503, json!({"message": "try later"}))
    });
    let client = confidential(NOWHERE).clock(clock.clone()).random_seed(1).build_with(api)?;
    let unavailable = |answer| matches!(answer, Err(KeyNotValidated::Unavailable(_)));
    assert!(unavailable(client.api_keys().validate(&key("sk_1")).await));
    assert_eq!(count.swap(0, Ordering::SeqCst), 4, "without a validator");
    // The first two waits are shorter than the second in which one more request comes in.
    let validator = client.api_keys().validator().rate(1)?.burst(4)?;
    assert!(unavailable(validator.validate(&key("sk_1")).await));
    assert_eq!(count.load(Ordering::SeqCst), 2, "half of the burst");
    assert!(is_limited(&validator.validate(&key("sk_2")).await));
    assert_eq!(count.load(Ordering::SeqCst), 2);
    Ok(())
}

#[tokio::test]
async fn so_many_requests_are_in_flight_and_no_more() -> Outcome {
    let api = Waiting::start()?;
    let validator = api.client.api_keys().validator().rate(1_000)?.burst(1_000)?;
    let mut callers = JoinSet::new();
    for number in 0..200 {
        let validator = validator.clone();
        callers.spawn(async move { validator.validate(&key(&format!("sk_{number}"))).await });
    }
    api.until_asked(128).await;
    for _ in 0..72 {
        assert!(is_limited(&callers.join_next().await.ok_or("no caller")??));
    }
    assert_eq!(api.asked.lock().unwrap().len(), 128);
    api.permits.add_permits(128);
    for answer in callers.join_all().await {
        assert!(answer.is_ok(), "{answer:?}");
    }
    Ok(())
}

#[test]
fn the_key_of_a_request_is_read_from_one_header() -> Outcome {
    let headers = |values: &[&str]| -> Outcome<HeaderMap> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value)?);
        }
        Ok(headers)
    };
    for value in ["Bearer sk_customer", "bearer sk_customer", "BEARER   sk_customer"] {
        assert_eq!(CustomerApiKey::from_headers(&headers(&[value])?)?.expose_secret(), "sk_customer");
    }
    let long = format!("Bearer {}", "a".repeat(513));
    for (values, reason, status, challenge) in [
        (&[][..], NoBearerToken::Missing, 401, "Bearer"),
        (&["Bearer a", "Bearer a"], NoBearerToken::Repeated, 400, "Bearer error=\"invalid_request\""),
        (&["Basic abc"], NoBearerToken::Missing, 401, "Bearer"),
        (&["Bearer"], NoBearerToken::Malformed, 400, "Bearer error=\"invalid_request\""),
        (&["Bearer a b"], NoBearerToken::Malformed, 400, "Bearer error=\"invalid_request\""),
        (&[&long], NoBearerToken::Malformed, 400, "Bearer error=\"invalid_request\""),
    ] {
        let error = CustomerApiKey::from_headers(&headers(values)?).map(drop).unwrap_err();
        let is = |found: &CustomerKeyError| *found == CustomerKeyError::NotPresented(reason);
        assert!(matches!(error.kind(), ErrorKind::CustomerKey(found) if is(found)), "{error:?}");
        let response = error.response();
        assert_eq!((response.status().as_u16(), response.headers()["www-authenticate"].to_str()?), (status, challenge));
        assert!(!error.is_transient());
    }
    for value in ["", "a b", "a\n", "ä", &"a".repeat(513)] {
        let error = CustomerApiKey::new(value).map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidValue { field: "customer_api_key", .. }), "{error:?}");
    }
    assert!(CustomerApiKey::new("a".repeat(512)).is_ok());
    Ok(())
}

struct ReadPosts;

impl Permission for ReadPosts {
    const SLUG: &'static str = "posts:read";
}

#[tokio::test]
async fn each_refusal_has_its_response() -> Outcome {
    let client = confidential(NOWHERE).build_with(prompt_api(|request| {
        let mut record = bare_record();
        record["permissions"] = if value(&request) == "sk_reads" { json!(["posts:read"]) } else { Value::Null };
        (200, json!({"api_key": record}))
    }))?;
    let reads = client.api_keys().validate(&key("sk_reads")).await?;
    reads.permission("posts:read")?;
    assert_eq!(PermittedKey::<ReadPosts>::check(reads)?.organization_id().as_str(), "org_1");
    let blind = client.api_keys().validate(&key("sk_blind")).await?;
    let missing = blind.permission("posts:read").unwrap_err();
    assert_eq!((missing.slug.as_str(), missing.response().status()), ("posts:read", StatusCode::FORBIDDEN));
    let refused = PermittedKey::<ReadPosts>::check(blind).map(drop).unwrap_err();
    assert_eq!(refused, missing);
    assert_eq!(refused.to_string(), "the API key lacks the permission posts:read");
    let error = Error::from(missing);
    assert!(
        matches!(error.kind(), ErrorKind::CustomerKey(CustomerKeyError::MissingPermission(slug)) if slug == "posts:read")
    );
    assert_eq!(
        (error.response().status(), error.response().headers().get("www-authenticate")),
        (StatusCode::FORBIDDEN, None)
    );

    let invalid = KeyNotValidated::Invalid;
    let response = invalid.response();
    assert_eq!((response.status().as_u16(), response.body().as_str()), (401, "A valid API key is needed."));
    assert_eq!(response.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
    assert_eq!(Error::from(invalid).response().status(), 401);
    for (wait, header) in [(1, "1"), (1_000, "1"), (1_001, "2")] {
        let limited = KeyNotValidated::TooManyRequests { retry_after: Duration::from_millis(wait) };
        let response = limited.response();
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &header.parse()?));
        let error = Error::from(limited);
        assert!(error.is_transient());
        assert_eq!((error.retry_after(), error.response().status().as_u16()), (Some(Duration::from_millis(wait)), 429));
    }
    let client =
        confidential(NOWHERE).retries(0).build_with(|_: Request<Bytes>| ready(Err(TransportError::timeout())))?;
    let unavailable = client.api_keys().validate(&key("sk_1")).await.unwrap_err();
    let response = unavailable.response();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"5".parse()?));
    assert!(matches!(Error::from(unavailable).kind(), ErrorKind::Timeout));
    Ok(())
}

#[tokio::test]
async fn the_authkit_keeps_keys_of_organizations_and_users() -> Outcome {
    let user = TestUser::new("ada@example.com").organization("org_1").organization("org_2");
    let authkit = AuthKit::builder().user(user).start().await?;
    let client = authkit.confidential_client();
    let keys = client.api_keys();
    let (org_1, org_2) = (OrganizationId::new("org_1")?, OrganizationId::new("org_2")?);
    let ada: UserId = client.users().list().send().await?.data[0].id.clone();

    let new = CreateOrganizationApiKey::new("CI").permissions(["posts:read"]);
    let of_organization = keys.create_for_organization(&org_1, &new).send().await?;
    let new = |organization: &OrganizationId| CreateUserApiKey::new("Laptop", organization.clone());
    let first = keys.create_for_user(&ada, &new(&org_1)).send().await?;
    let second = keys.create_for_user(&ada, &new(&org_2)).send().await?;
    let elsewhere = keys.create_for_user(&ada, &new(&OrganizationId::new("org_3")?)).send().await;
    assert_eq!(elsewhere.map(drop).unwrap_err().status(), Some(StatusCode::NOT_FOUND));

    let ids = |page: workos_auth::api::Page<workos_auth::api::ApiKeyRecord>| -> Vec<_> {
        page.data.into_iter().map(|key| key.id).collect()
    };
    let (id, laptop, phone) = (of_organization.record.id.clone(), first.record.id.clone(), second.record.id.clone());
    assert_eq!(ids(keys.list_of_organization(&org_1).send().await?), std::slice::from_ref(&id));
    assert_eq!(ids(keys.list_of_organization(&org_2).send().await?), []);
    assert_eq!(ids(keys.list_of_user(&ada, None).send().await?), [phone.clone(), laptop.clone()]);
    assert_eq!(ids(keys.list_of_user(&ada, Some(&org_2)).send().await?), std::slice::from_ref(&phone));

    let (value, value_1) = (of_organization.into_value(), first.into_value());
    let valid = keys.validate(&value).await?;
    assert_eq!((valid.id(), valid.owner()), (&id, &ApiKeyOwner::Organization { id: org_1.clone() }));
    valid.permission("posts:read")?;
    let valid = keys.validate(&value_1).await?;
    assert_eq!(valid.owner(), &ApiKeyOwner::User { id: ada, organization_id: org_1 });
    assert!(valid.record().last_used_at.is_some());
    keys.delete(&id).send().await?;
    assert!(is_invalid(&keys.validate(&value).await));
    assert!(keys.validate(&value_1).await.is_ok());
    assert!(is_invalid(&keys.validate(&key("sk_made_up")).await));
    assert_eq!((authkit.requests_to(VALIDATION), authkit.requests_to(Endpoint::ApiKeys)), (5, 9));
    Ok(())
}

/// Connections of the flood.
const CONNECTIONS: usize = 64;
/// Made-up keys in all, where `WORKOS_SEEDS` isn't set. The gate sends a hundred thousand.
const MADE_UP: usize = 10_000;
const RATE: u32 = 20;
const BURST: u32 = 40;

async fn whose(State(keys): State<ApiKeyValidator>, headers: HeaderMap) -> Result<String, axum::response::Response> {
    use axum::response::IntoResponse;
    let presented = CustomerApiKey::from_headers(&headers).map_err(IntoResponse::into_response)?;
    let key = keys.validate(&presented).await.map_err(IntoResponse::into_response)?;
    Ok(key.organization_id().to_string())
}

/// One connection that stays open.
struct Connection(TcpStream);

impl Connection {
    async fn open(address: SocketAddr) -> Outcome<Self> {
        Ok(Self(TcpStream::connect(address).await?))
    }

    /// The status of the answer to a key.
    async fn present(&mut self, key: &str) -> Outcome<u16> {
        self.0
            .write_all(format!("GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n\r\n").as_bytes())
            .await?;
        let (mut bytes, mut length) = ([0; 2_048], 0);
        loop {
            let read = self.0.read(&mut bytes[length..]).await?;
            if read == 0 {
                return Err("the connection was closed".into());
            }
            length += read;
            let text = std::str::from_utf8(&bytes[..length])?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let announced = head.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("no length")?;
            if body.len() == announced.parse::<usize>()? {
                return Ok(head.split(' ').nth(1).ok_or("no status")?.parse()?);
            }
        }
    }
}

/// The memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> Outcome<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    Ok(pages.split(' ').nth(1).ok_or("no pages")?.parse::<usize>()? * 4_096)
}

/// Many connections make keys up. WorkOS gets the set rate of requests, good keys are answered, and memory stays flat.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_made_up_keys_keeps_no_good_one_out() -> Outcome {
    const GROWTH: usize = 4 << 20;

    if passed_alone("api_keys::a_flood_of_made_up_keys_keeps_no_good_one_out")? {
        return Ok(());
    }
    let made_up = if std::env::var_os("WORKOS_SEEDS").is_some() { 100_000 } else { MADE_UP };
    let keeps =
        async |name| AuthKit::builder().customer_api_key(TestApiKey::of_organization(name, "org_1")).start().await;
    let (authkit, other) = (keeps("sk_good").await?, keeps("sk_remembered").await?);
    let limited = |authkit: &AuthKit| {
        authkit.confidential_client().api_keys().validator().rate(RATE)?.burst(BURST)?.capacity(1_000)
    };
    let validator = limited(&authkit)?;
    let remembering = limited(&other)?.remember_valid(Duration::from_secs(30))?;
    let started = Instant::now();
    validator.validate(&key("sk_good")).await?;
    let mut asked = 1;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/", get(whose)).with_state(validator.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let refused = Arc::new(AtomicUsize::new(0));
    let flood = |name: &'static str, keys: usize| {
        let refused = Arc::clone(&refused);
        async move {
            let mut connections = JoinSet::new();
            for connection in 0..CONNECTIONS {
                let refused = Arc::clone(&refused);
                connections.spawn(async move {
                    let mut open = Connection::open(address).await?;
                    for number in (connection..keys).step_by(CONNECTIONS) {
                        match open.present(&format!("sk_{name}_{number}")).await? {
                            401 => drop(refused.fetch_add(1, Ordering::SeqCst)),
                            429 => {}
                            other => return Err(format!("{other}").into()),
                        }
                    }
                    Outcome::Ok(())
                });
            }
            for connection in connections.join_all().await {
                connection?;
            }
            Outcome::Ok(())
        }
    };
    // What the runtime and the allocator need once.
    flood("warm", made_up / 10).await?;
    let before = resident()?;
    let is_over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let customer = tokio::spawn({
        let (is_over, remembering) = (Arc::clone(&is_over), remembering.clone());
        async move {
            let mut open = Connection::open(address).await?;
            let (mut asked, mut slowest) = (0, Duration::ZERO);
            while !is_over.load(Ordering::SeqCst) {
                let began = Instant::now();
                assert_eq!(open.present("sk_good").await?, 200, "a good key was kept out");
                remembering.validate(&key("sk_remembered")).await?;
                asked += 1;
                slowest = slowest.max(began.elapsed());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Outcome::Ok((asked, slowest))
        }
    });
    flood("made_up", made_up).await?;
    is_over.store(true, Ordering::SeqCst);
    let (of_customer, slowest) = customer.await??;
    let grown = resident()?.saturating_sub(before);
    asked += of_customer + refused.load(Ordering::SeqCst);
    let seconds = started.elapsed().as_secs_f64();

    // Each key that was called invalid was asked about, and no other.
    assert_eq!(authkit.requests_to(VALIDATION), asked);
    let allowed = f64::from(BURST) + f64::from(RATE) * seconds;
    println!(
        "{asked} of {made_up} in {seconds:.1} s, {of_customer} of the customer, {slowest:?} at most, {grown} bytes"
    );
    assert!(f64::from(u32::try_from(asked)?) <= allowed, "{asked} requests in {seconds} s");
    let remembered = f64::from(u32::try_from(other.requests_to(VALIDATION))?);
    assert!(remembered <= 1.0 + seconds / 30.0, "{remembered} requests of the one that remembers");
    assert!(of_customer > 0 && slowest < Duration::from_secs(5), "{of_customer} answers, {slowest:?}");
    assert!(grown < GROWTH, "{grown} bytes more");
    let debug = format!("{validator:?}");
    assert!(debug.contains("known_good: 1, known_bad: 0, in_flight: 0"), "{debug}");
    server.abort();
    Ok(())
}
