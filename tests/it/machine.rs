//! Machines: the request for a token byte for byte, each answer, and one token for all callers until shortly before its end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use workos_auth::connect::{MachineClient, Scopes};
use workos_auth::id::{Issuer, ResourceUri};
use workos_auth::secret::{BearerToken, MachineSecret};
use workos_auth::testing::{AuthKit, Endpoint, Fault, ManualClock, TestMachine};
use workos_auth::transport::TransportError;
use workos_auth::{Client, ClientId, ErrorCode, ErrorKind, ExposeSecret};

use crate::support::Outcome;
use crate::support::capture::{Recorder, assert_bytes};
use crate::support::clients::{NOWHERE, clock, reply};
use crate::support::raw::{Answer, RawServer};

const TOKEN: Endpoint = Endpoint::IssuerToken;

fn granted(token: &str) -> Value {
    json!({"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": "read:posts"})
}

fn id() -> ClientId {
    ClientId::new("client_machine").unwrap()
}

fn secret() -> MachineSecret {
    MachineSecret::new("the+secret&=%").unwrap()
}

/// A machine whose issuer answers what the test says, and the number of its requests.
fn answered(
    clock: &ManualClock,
    answer: impl Fn(usize) -> (u16, Value) + Send + Sync + 'static,
) -> Outcome<(MachineClient, Arc<AtomicUsize>)> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let transport = move |_: Request<Bytes>| {
        let (status, body) = answer(counted.fetch_add(1, Ordering::SeqCst));
        async move { Ok::<_, TransportError>(reply(status, body.to_string())) }
    };
    let builder = Client::builder().clock(clock.clone());
    Ok((builder.machine_with(Issuer::new(NOWHERE)?, id(), secret(), transport)?, count))
}

#[tokio::test]
async fn the_request_is_pinned_and_the_answer_is_read() -> Outcome {
    let recorder = Recorder::replying(&granted("the-token").to_string()).await;
    let issuer = || Issuer::new(recorder.base_url());
    let machine = MachineClient::new(issuer()?, id(), secret())?;
    machine.token().await?;
    assert_bytes("machine_token.http", recorder.take());

    let clock = clock();
    let machine = Client::builder().clock(clock.clone()).machine(issuer()?, id(), secret())?;
    let machine = machine.scopes(Scopes::new(["read:posts"])?);
    let token = machine.token().await?;
    assert_bytes("machine_token_scoped.http", recorder.take());
    assert_eq!(
        (token.authorization_header().to_str()?, token.authorization_header().is_sensitive()),
        ("Bearer the-token", true)
    );
    assert_eq!(token.access_token().expose_secret(), "the-token");
    assert_eq!(token.scopes(), &Scopes::new(["read:posts"])?);
    assert_eq!(token.expires_at().to_string(), "2026-01-01T00:05:00Z");
    assert!(!format!("{machine:?} {token:?}").contains("the"), "{machine:?} {token:?}");
    Ok(())
}

#[tokio::test]
async fn a_narrower_scope_than_was_asked_for_is_an_error() -> Outcome {
    let asked = || Scopes::new(["read:posts", "write:posts"]);
    for (scope, is_granted) in [
        (json!("read:posts write:posts"), Some("read:posts write:posts")),
        (json!("write:posts admin read:posts"), Some("admin read:posts write:posts")),
        // As asked for (RFC 6749 §5.1).
        (Value::Null, Some("read:posts write:posts")),
        (json!("read:posts"), None),
        (json!("read:posts write"), None),
        (json!(""), None),
    ] {
        let answer =
            move |_| (200, json!({"access_token": "t", "token_type": "bearer", "expires_in": 300, "scope": scope}));
        let (machine, count) = answered(&clock(), answer)?;
        let result = machine.scopes(asked()?).token().await;
        match is_granted {
            Some(scopes) => assert_eq!(result?.scopes().to_string(), scopes),
            None => assert!(matches!(result.unwrap_err().kind(), ErrorKind::ScopesNotGranted)),
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_token_is_an_error() -> Outcome {
    type Is = fn(&ErrorKind) -> bool;
    let shape: Is = |kind| matches!(kind, ErrorKind::UnexpectedShape);
    let api: Is = |kind| matches!(kind, ErrorKind::Api(_));
    for (status, body, is, requests) in [
        (200, json!({"access_token": "t", "token_type": "DPoP", "expires_in": 300}), shape, 1),
        (200, json!({"access_token": "t", "token_type": "Bearer"}), shape, 1),
        (200, json!({"token_type": "Bearer", "expires_in": 300}), shape, 1),
        (200, json!({"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "a\"b"}), shape, 1),
        (200, json!({"access_token": "a b", "token_type": "Bearer", "expires_in": 300}), shape, 1),
        (400, json!({"error": "invalid_client", "error_description": "canary"}), api, 1),
        (429, json!({"message": "later"}), api, 4),
        (503, json!({"message": "later"}), api, 4),
    ] {
        let (machine, count) = answered(&clock(), move |_| (status, body.clone()))?;
        let error = machine.token().await.unwrap_err();
        assert!(is(error.kind()), "{error:?}");
        assert_eq!((error.status().map(|is| is.as_u16()), count.load(Ordering::SeqCst)), (Some(status), requests));
        assert!(!format!("{error} {error:?}").contains("canary"));
        // The next caller asks again.
        assert!(machine.token().await.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 2 * requests);
    }
    Ok(())
}

/// Nothing is used up, so a request is sent again as a read is.
#[tokio::test]
async fn a_request_is_sent_again_after_each_fault_that_may_pass() -> Outcome {
    for (answer, requests) in [
        (Answer::Close, 4),
        (Answer::Reset(Vec::new()), 4),
        (Answer::Stall, 4),
        (Answer::truncated("{}"), 4),
        (Answer::json(200, "<html>"), 1),
        (Answer::json(401, r#"{"error":"invalid_client"}"#), 1),
    ] {
        let server = RawServer::start([answer.clone()]).await?;
        let builder = Client::builder().clock(clock()).timeout(Duration::from_millis(200));
        let machine = builder.machine(Issuer::new(server.base_url())?, id(), secret())?;
        assert!(machine.token().await.is_err());
        assert_eq!(server.requests().len(), requests, "{answer:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_callers_send_one_request_and_one_of_them_hangs_up() -> Outcome {
    let (count, permits) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (counted, gate) = (Arc::clone(&count), Arc::clone(&permits));
    let transport = move |_: Request<Bytes>| {
        let (gate, number) = (Arc::clone(&gate), counted.fetch_add(1, Ordering::SeqCst));
        async move {
            gate.acquire().await.unwrap().forget();
            Ok::<_, TransportError>(reply(200, granted(&format!("token-{number}")).to_string()))
        }
    };
    let machine = Client::builder().clock(clock()).machine_with(Issuer::new(NOWHERE)?, id(), secret(), transport)?;
    let first = tokio::spawn({
        let machine = machine.clone();
        async move { machine.token().await }
    });
    while count.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let machine = machine.clone();
        callers
            .spawn(async move { machine.token().await.map(|token| token.access_token().expose_secret().to_owned()) });
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    permits.add_permits(1);
    for token in callers.join_all().await {
        assert_eq!(token?, "token-0");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    Ok(())
}

/// What the token is called now. The next one may be on its way: it arrives before this returns.
async fn current(machine: &MachineClient) -> Outcome<String> {
    let token = machine.token().await?.access_token().expose_secret().to_owned();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    Ok(token)
}

#[tokio::test]
async fn a_token_is_replaced_shortly_before_its_end() -> Outcome {
    for (ahead, lifetime, replaced_after) in [
        // 30 s unless given, and a quarter of the lifetime at most.
        (None, 300, 270),
        (None, 60, 45),
        (Some(60), 300, 240),
        (Some(600), 300, 225),
        (Some(0), 300, 300),
    ] {
        let clock = clock();
        let answer = move |number| {
            let mut granted = granted(&format!("token-{number}"));
            granted["expires_in"] = json!(lifetime);
            (200, granted)
        };
        let (machine, count) = answered(&clock, answer)?;
        let machine = match ahead {
            Some(seconds) => machine.refresh_ahead(Duration::from_secs(seconds)),
            None => machine,
        };
        assert_eq!(current(&machine).await?, "token-0");
        clock.advance(Duration::from_millis(replaced_after * 1_000 - 1));
        assert_eq!((current(&machine).await?.as_str(), count.load(Ordering::SeqCst)), ("token-0", 1), "{ahead:?}");
        clock.advance(Duration::from_millis(1));
        // It is still good, so nobody waits for the next one.
        let at_once = if replaced_after == lifetime { "token-1" } else { "token-0" };
        assert_eq!(current(&machine).await?, at_once, "{ahead:?}");
        assert_eq!((current(&machine).await?.as_str(), count.load(Ordering::SeqCst)), ("token-1", 2), "{ahead:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_outage_is_not_seen_while_a_token_is_good() -> Outcome {
    let clock = clock();
    let fails = Arc::new(Mutex::new(false));
    let failing = Arc::clone(&fails);
    let (machine, count) = answered(&clock, move |number| {
        if *failing.lock().unwrap() {
            (400, json!({"error": "invalid_request"}))
        } else {
            (200, granted(&format!("token-{number}")))
        }
    })?;
    assert_eq!(current(&machine).await?, "token-0");
    *fails.lock().unwrap() = true;
    clock.advance(Duration::from_secs(271));
    for _ in 0..10 {
        assert_eq!(current(&machine).await?, "token-0");
    }
    assert_eq!(count.load(Ordering::SeqCst), 2, "one failure, and then a pause");
    clock.advance(Duration::from_secs(5));
    assert_eq!(current(&machine).await?, "token-0");
    assert_eq!(count.load(Ordering::SeqCst), 3);
    clock.advance(Duration::from_secs(24));
    assert!(machine.token().await.is_err(), "the old one has expired");
    *fails.lock().unwrap() = false;
    assert_eq!(current(&machine).await?, format!("token-{}", count.load(Ordering::SeqCst) - 1));
    Ok(())
}

#[tokio::test]
async fn the_token_of_a_machine_is_good_at_a_resource_server() -> Outcome {
    let clock = clock();
    let resource = ResourceUri::new("https://api.example.com")?;
    let registered = TestMachine::new("client_machine", "the+secret&=%")
        .scope("read:posts")
        .scope("write:posts")
        .organization("org_1")
        .audience(resource.as_str());
    let authkit = AuthKit::builder().machine(registered).clock(clock.clone()).start().await?;
    let server = authkit.resource_server(resource)?;
    let machine = authkit.machine_client("client_machine", "the+secret&=%")?;
    let machine = machine.scopes(Scopes::new(["read:posts"])?);
    let token = machine.token().await?;
    let headers = [(http::header::AUTHORIZATION, token.authorization_header())].into_iter().collect();
    let accepted = server.verify(&BearerToken::from_headers(&headers)?).await?;
    assert!(accepted.scope("read:posts").is_ok() && accepted.scope("write:posts").is_err());
    assert_eq!(accepted.organization_id().map(ToString::to_string).as_deref(), Some("org_1"));

    authkit.inject(TOKEN, Fault::Status(503, None), usize::MAX);
    assert!(machine.token().await.is_ok());
    clock.advance(Duration::from_secs(300));
    assert!(machine.token().await.unwrap_err().is_transient());
    authkit.heal();
    assert!(machine.token().await.is_ok());

    for (client_id, secret, scope, code) in [
        ("client_machine", "guessed", "read:posts", ErrorCode::InvalidClient),
        ("client_other", "the+secret&=%", "read:posts", ErrorCode::InvalidClient),
        ("client_machine", "the+secret&=%", "admin", ErrorCode::from("invalid_scope")),
    ] {
        let machine = authkit.machine_client(client_id, secret)?.scopes(Scopes::new([scope])?);
        assert_eq!(machine.token().await.unwrap_err().code(), Some(&code));
    }
    let all = authkit.machine_client("client_machine", "the+secret&=%")?.token().await?;
    assert_eq!(all.scopes().to_string(), "read:posts write:posts");
    Ok(())
}

#[test]
fn a_secret_is_checked() {
    for value in ["", "a b", "a\n", "ä"] {
        let error = MachineSecret::new(value).map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidValue { field: "machine_secret", .. }), "{error:?}");
    }
}
