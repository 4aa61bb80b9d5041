//! The redirect listener, spoken to over a raw socket as browsers, scanners and attackers would.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use workos_auth::error::{AuthorizationErrorCode, CallbackError};
use workos_auth::{Client, ErrorKind, LoopbackListener, PkceSession, Public, PublicClient};

use crate::support::Outcome;
use crate::support::login;

fn client() -> PublicClient {
    PublicClient::new("client_123").unwrap()
}

async fn listener() -> LoopbackListener {
    LoopbackListener::bind("/callback").await.unwrap().timeout(Duration::from_secs(20))
}

fn begin(listener: &LoopbackListener) -> PkceSession<Public> {
    client().authorize(listener.redirect_uri().clone()).authkit().begin().unwrap()
}

fn state(session: &PkceSession<Public>) -> String {
    login::state(session.url())
}

fn address(listener: &LoopbackListener) -> SocketAddr {
    let uri = url::Url::parse(listener.redirect_uri().as_str()).unwrap();
    *uri.socket_addrs(|| None).unwrap().first().unwrap()
}

/// Sends a request as it stands and returns the whole reply.
async fn say(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

async fn get(address: SocketAddr, target: &str) -> String {
    say(address, &format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await
}

fn status(reply: &str) -> &str {
    reply.split(' ').nth(1).unwrap_or("")
}

#[tokio::test]
async fn stray_and_forged_requests_are_answered_and_the_true_callback_wins() -> Outcome {
    let listener = listener().await;
    let session = begin(&listener);
    let (state, address) = (state(&session), address(&listener));
    // A browser opens a connection ahead of need and says nothing on it.
    let _idle = TcpStream::connect(address).await?;
    let waiting = tokio::spawn(listener.wait(session));

    let strays = [
        ("404", format!("GET /favicon.ico HTTP/1.1\r\nHost: {address}\r\n\r\n")),
        ("404", format!("GET /callback/ HTTP/1.1\r\nHost: {address}\r\n\r\n")),
        ("404", format!("GET /Callback?code=c&state={state} HTTP/1.1\r\nHost: {address}\r\n\r\n")),
        ("400", format!("GET /callback HTTP/1.1\r\nHost: {address}\r\n\r\n")),
        ("400", format!("GET /callback?code=evil&state=forged HTTP/1.1\r\nHost: {address}\r\n\r\n")),
        ("400", format!("GET /callback?code=evil HTTP/1.1\r\nHost: {address}\r\n\r\n")),
        ("400", format!("GET /callback?error=access_denied&state=forged HTTP/1.1\r\nHost: {address}\r\n\r\n")),
        ("400", format!("GET /callback?code=a&code=b&state={state} HTTP/1.1\r\nHost: {address}\r\n\r\n")),
        ("405", format!("POST /callback?code=evil&state={state} HTTP/1.1\r\nHost: {address}\r\n\r\n")),
        // A name of the attacker's that was bound to loopback.
        ("421", format!("GET /callback?code=evil&state={state} HTTP/1.1\r\nHost: evil.example\r\n\r\n")),
        (
            "421",
            format!("GET /callback?code=evil&state={state} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", address.port()),
        ),
        ("421", format!("GET /callback?code=evil&state={state} HTTP/1.0\r\n\r\n")),
        ("400", "nonsense\r\n\r\n".to_owned()),
    ];
    for (expected, request) in strays {
        let reply = say(address, &request).await;
        assert_eq!(status(&reply), expected, "{request}");
    }
    assert!(!waiting.is_finished());

    let reply = get(address, &format!("/callback?code=the-code&state={state}")).await;
    assert_eq!(status(&reply), "200");
    assert!(reply.contains("You may close this window"), "{reply}");
    let exchange = waiting.await??;
    assert_eq!(format!("{exchange:?}").matches("the-code").count(), 0);
    assert!(TcpStream::connect(address).await.is_err(), "the listener ends with the login");
    Ok(())
}

/// How an attacker holds a connection.
#[derive(Clone, Copy, Debug)]
enum Hold {
    Silent,
    HalfALine,
    /// A byte every 50 ms.
    Trickle,
    /// A new connection for each that is closed.
    Again,
    /// A whole request, whose body never comes.
    NoBody,
    /// A whole request, and its answer is never read.
    Deaf,
    /// A whole request, and its body never ends.
    Endless,
}

async fn hold(address: SocketAddr, how: Hold) {
    let head = format!("POST /callback?code=evil HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1000\r\n\r\n");
    let endless = head.replace("Content-Length: 1000", "Transfer-Encoding: chunked");
    loop {
        let Ok(mut stream) = TcpStream::connect(address).await else { return };
        let begun = match how {
            Hold::Silent => "",
            Hold::HalfALine | Hold::Trickle | Hold::Again => "GET /callback?code=",
            Hold::NoBody | Hold::Deaf => &head,
            Hold::Endless => &endless,
        };
        let _ = stream.write_all(begun.as_bytes()).await;
        match how {
            Hold::Trickle => {
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Hold::Endless => {
                while stream.write_all(b"1\r\nx\r\n").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Hold::Deaf => tokio::time::sleep(Duration::from_secs(60)).await,
            _ => drop(stream.read(&mut [0; 16]).await),
        }
        if !matches!(how, Hold::Again) {
            // The connection stays half open for as long as the listener lets it.
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }
}

/// A held connection is given up after two seconds. Whoever waits for that waits longer than this; a busy machine doesn't make it so.
const ANSWERED_WITHIN: Duration = Duration::from_millis(1_800);

/// How long the true callback waits for its answer beside 300 connections that others hold.
async fn beside(how: Hold) -> Outcome {
    let listener = listener().await;
    let session = begin(&listener);
    let (state, address) = (state(&session), address(&listener));
    let mut holding = tokio::task::JoinSet::new();
    let waiting = tokio::spawn(listener.wait(session));
    for _ in 0..300 {
        holding.spawn(hold(address, how));
    }
    // Some of them were accepted, and some wait in the queue.
    tokio::time::sleep(Duration::from_millis(50)).await;
    for pause in [0, 300] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let started = std::time::Instant::now();
        let reply = get(address, "/callback?code=evil&state=forged").await;
        assert_eq!(status(&reply), "400", "{how:?}: {reply}");
        assert!(started.elapsed() < ANSWERED_WITHIN, "{how:?}: {:?}", started.elapsed());
    }
    let started = std::time::Instant::now();
    let reply = get(address, &format!("/callback?code=the-code&state={state}")).await;
    assert_eq!(status(&reply), "200", "{how:?}: {reply}");
    drop(waiting.await??);
    assert!(started.elapsed() < ANSWERED_WITHIN, "{how:?}: {:?}", started.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_connections_keep_no_callback_out() -> Outcome {
    for how in [Hold::Silent, Hold::HalfALine, Hold::Trickle, Hold::Again, Hold::NoBody, Hold::Deaf, Hold::Endless] {
        beside(how).await?;
    }
    Ok(())
}

#[tokio::test]
async fn held_connections_keep_no_callback_out_on_one_thread() -> Outcome {
    for how in [Hold::Silent, Hold::Trickle, Hold::Again] {
        beside(how).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_request_has_two_seconds_to_arrive() -> Outcome {
    let listener = listener().await;
    let session = begin(&listener);
    let address = address(&listener);
    let waiting = tokio::spawn(listener.wait(session));
    let started = std::time::Instant::now();
    let (mut silent, mut trickling) = (TcpStream::connect(address).await?, TcpStream::connect(address).await?);
    while trickling.write_all(b"G").await.is_ok() && started.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let _ = silent.read(&mut [0; 1024]).await;
    let elapsed = started.elapsed();
    assert!(elapsed > Duration::from_millis(1900) && elapsed < Duration::from_secs(4), "{elapsed:?}");
    waiting.abort();
    Ok(())
}

#[tokio::test]
async fn the_longest_wait_is_no_overflow() -> Outcome {
    let listener = listener().await.timeout(Duration::MAX);
    let session = begin(&listener);
    let (state, address) = (state(&session), address(&listener));
    let waiting = tokio::spawn(listener.wait(session));
    get(address, &format!("/callback?code=the-code&state={state}")).await;
    drop(waiting.await??);
    Ok(())
}

#[tokio::test]
async fn pages_echo_nothing_and_leak_nothing() -> Outcome {
    let listener = listener().await;
    let session = begin(&listener);
    let (state, address) = (state(&session), address(&listener));
    let waiting = tokio::spawn(listener.wait(session));
    let forged = get(address, "/callback?code=%3Cscript%3Ecanary&state=canary&x=canary").await;
    let done = get(address, &format!("/callback?code=canary&state={state}&x=%3Cscript%3E")).await;
    drop(waiting.await??);
    for reply in [forged, done] {
        let lower = reply.to_ascii_lowercase();
        assert!(!lower.contains("canary") && !lower.contains("script") && !reply.contains(&state), "{reply}");
        for header in [
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "content-type: text/html; charset=utf-8",
        ] {
            assert!(lower.contains(header), "{header} is missing in {reply}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_by_the_user_ends_the_wait_and_returns_the_session() -> Outcome {
    let listener = listener().await;
    let session = begin(&listener);
    let (state, address) = (state(&session), address(&listener));
    let waiting = tokio::spawn(listener.wait(session));
    let reply = get(address, &format!("/callback?error=access_denied&error_description=no&state={state}")).await;
    assert_eq!(status(&reply), "200");
    let rejected = waiting.await?.unwrap_err();
    let denied = CallbackError::Authorization(AuthorizationErrorCode::AccessDenied);
    assert!(matches!(rejected.error().kind(), ErrorKind::Callback(error) if *error == denied));
    assert!(rejected.recover().is_ok());
    Ok(())
}

#[tokio::test]
async fn the_wait_has_a_deadline_and_returns_the_session() -> Outcome {
    let listener = listener().await.timeout(Duration::from_millis(50));
    let session = begin(&listener);
    let rejected = listener.wait(session).await.unwrap_err();
    assert!(matches!(rejected.error().kind(), ErrorKind::NoCallback));
    assert!(rejected.recover().is_ok());
    Ok(())
}

#[tokio::test]
async fn it_listens_on_loopback_alone_on_a_free_or_given_port() -> Outcome {
    let listener = LoopbackListener::bind("/").await?;
    let given = address(&listener);
    assert_eq!(given.ip(), Ipv4Addr::LOCALHOST);
    assert_ne!(given.port(), 0);
    assert_eq!(listener.redirect_uri().as_str(), format!("http://{given}/"));

    let taken = LoopbackListener::bind_to(given, "/").await.unwrap_err();
    assert!(matches!(taken.kind(), ErrorKind::Listener));
    drop(listener);
    assert_eq!(address(&LoopbackListener::bind_to(given, "/").await?), given);

    let open = LoopbackListener::bind_to((Ipv4Addr::UNSPECIFIED, 0), "/callback").await.unwrap_err();
    assert!(matches!(open.kind(), ErrorKind::InvalidValue { field: "address", .. }));
    for path in ["callback", "/callback?x=1", "/callback#x", "/call back", ""] {
        assert!(LoopbackListener::bind(path).await.is_err(), "{path:?}");
    }
    Ok(())
}

#[tokio::test]
async fn it_listens_on_ipv6() -> Outcome {
    let listener = match LoopbackListener::bind_to((Ipv6Addr::LOCALHOST, 0), "/callback").await {
        Ok(listener) => listener.timeout(Duration::from_secs(20)),
        // A machine without IPv6 says so.
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Listener), "{error:?}");
            return Ok(());
        }
    };
    assert!(listener.redirect_uri().as_str().starts_with("http://[::1]:"));
    let session = begin(&listener);
    let (state, address) = (state(&session), address(&listener));
    let waiting = tokio::spawn(listener.wait(session));
    let reply = get(address, &format!("/callback?code=the-code&state={state}")).await;
    assert_eq!(status(&reply), "200");
    drop(waiting.await??);
    Ok(())
}

#[tokio::test]
async fn a_confidential_client_waits_as_well() -> Outcome {
    let listener = listener().await;
    let client = Client::builder().client_id("client_123").api_key("sk_example").build()?;
    let session = client.authorize(listener.redirect_uri().clone()).authkit().begin()?;
    let state = login::state(session.url());
    let address = address(&listener);
    let waiting = tokio::spawn(listener.wait(session));
    get(address, &format!("/callback?code=the-code&state={state}")).await;
    drop(waiting.await??);
    Ok(())
}
