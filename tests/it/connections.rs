//! Connections that are used more than once: what is reused, what is noticed, and that no request arrives twice.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use workos_auth::transport::RESPONSE_LIMIT;
use workos_auth::{ConfidentialClient, ErrorKind, RefreshToken};

use crate::support::Outcome;
use crate::support::adapter::{Adapter, with_each_adapter};
use crate::support::clients::{clock, confidential};
use crate::support::login::{authorization_code, rejection};
use crate::support::raw::{Answer, RawServer, SIGNED_IN};

/// What the server does with one connection after the other.
#[derive(Clone, Copy)]
enum Conduct {
    /// Answers so many requests, then closes.
    Answers(usize),
    /// Reads so many bytes of a request, then resets the connection.
    Resets(usize),
}

/// A server with a thread of its own, so that it goes on while the client's runtime rests.
struct Server {
    base_url: String,
    /// Each connection that is closed, with the requests that arrived on it.
    closed: Receiver<Vec<String>>,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(conducts: &'static [Conduct]) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let (closing, closed) = mpsc::channel();
        let thread = thread::spawn(move || {
            for conduct in conducts {
                let (stream, _) = listener.accept().unwrap();
                serve(stream, *conduct, &closing);
            }
        });
        Ok(Self { base_url, closed, thread })
    }

    /// The requests of all connections, once the server has closed the last one.
    fn finish(self) -> Vec<String> {
        self.thread.join().unwrap();
        self.closed.try_iter().flatten().collect()
    }
}

fn serve(mut stream: TcpStream, conduct: Conduct, closing: &Sender<Vec<String>>) {
    let requests = match conduct {
        Conduct::Answers(requests) => (0..requests)
            .map(|_| {
                let request = read(&mut stream, usize::MAX);
                let length = SIGNED_IN.len();
                let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{SIGNED_IN}");
                stream.write_all(reply.as_bytes()).unwrap();
                request
            })
            .collect(),
        // What isn't read when a socket is closed makes it a reset.
        Conduct::Resets(bytes) => vec![read(&mut stream, bytes)],
    };
    drop(stream);
    closing.send(requests).unwrap();
}

/// A request, or as many bytes of it.
fn read(stream: &mut TcpStream, limit: usize) -> String {
    let mut request = String::new();
    let mut byte = [0];
    while request.len() < limit && !is_complete(&request) {
        stream.read_exact(&mut byte).unwrap();
        request.push(char::from(byte[0]));
    }
    request
}

fn is_complete(request: &str) -> bool {
    request.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        length.and_then(|length| length.parse().ok()) == Some(body.len())
    })
}

fn codes(requests: &[String]) -> usize {
    requests.iter().filter(|request| request.contains(r#""code":"#)).count()
}

async fn refresh(client: &ConfidentialClient) -> Outcome {
    drop(client.authenticate_with_refresh_token(RefreshToken::new("the-token")).send().await?);
    Ok(())
}

async fn a_connection_is_used_again(adapter: Adapter) -> Outcome {
    let server = Server::start(&[Conduct::Answers(3)])?;
    let client = adapter.build(confidential(server.base_url.as_str()))?;
    for _ in 0..3 {
        refresh(&client).await?;
    }
    assert_eq!(server.finish().len(), 3);
    Ok(())
}

async fn a_connection_that_is_known_to_be_closed_is_not_used(adapter: Adapter) -> Outcome {
    let server = Server::start(&[Conduct::Answers(1), Conduct::Answers(1)])?;
    let clock = clock();
    let client = adapter.build(confidential(server.base_url.as_str()).retries(0).clock(clock.clone()))?;
    refresh(&client).await?;
    // The server closes, and the runtime sees it.
    server.closed.recv_timeout(Duration::from_secs(10))?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(client.authenticate_with_code(authorization_code("the-code")).send().await?);
    assert_eq!(codes(&server.finish()), 1);
    Ok(())
}

/// A connection that the server has closed while the client's runtime rested: the client learns of it with its next request.
async fn stale(adapter: Adapter, server: &Server, retries: u32) -> Outcome<ConfidentialClient> {
    let client = adapter.build(confidential(server.base_url.as_str()).retries(retries).clock(clock()))?;
    refresh(&client).await?;
    // It blocks the only thread of the runtime.
    server.closed.recv_timeout(Duration::from_secs(10))?;
    thread::sleep(Duration::from_millis(50));
    Ok(client)
}

async fn a_code_on_a_connection_that_was_closed_meanwhile_arrives_once(adapter: Adapter) -> Outcome {
    let server = Server::start(&[Conduct::Answers(1), Conduct::Answers(1)])?;
    let client = stale(adapter, &server, 3).await?;
    drop(client.authenticate_with_code(authorization_code("the-code")).send().await?);
    assert_eq!(codes(&server.finish()), 1);
    Ok(())
}

/// `hyper` says that the request never began, so nothing was lost.
#[tokio::test]
async fn a_request_that_was_not_begun_comes_back_as_not_sent() -> Outcome {
    let server = Server::start(&[Conduct::Answers(1)])?;
    let client = stale(Adapter::Hyper, &server, 0).await?;
    let (error, code) =
        rejection(client.authenticate_with_code(authorization_code("the-code")).send().await).into_parts();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error:?}");
    assert!(error.is_transient() && code.is_some());
    assert_eq!(codes(&server.finish()), 0);
    Ok(())
}

async fn a_code_of_which_a_part_was_read_is_not_sent_again(adapter: Adapter) -> Outcome {
    // Within the first line, within the head, and within the body.
    for conducts in [
        &[Conduct::Answers(1), Conduct::Resets(10)],
        &[Conduct::Answers(1), Conduct::Resets(100)],
        &[Conduct::Answers(1), Conduct::Resets(300)],
    ] {
        let server = Server::start(conducts)?;
        let client = adapter.build(confidential(server.base_url.as_str()).clock(clock()))?;
        refresh(&client).await?;
        server.closed.recv_timeout(Duration::from_secs(10))?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let rejected = rejection(client.authenticate_with_code(authorization_code("the-code")).send().await);
        let (error, code) = rejected.into_parts();
        assert!(matches!(error.kind(), ErrorKind::Interrupted), "{error:?}");
        assert!(code.is_none());
        assert_eq!(server.finish().len(), 1, "one more request began");
    }
    Ok(())
}

/// A login in a reply of this length, with its length announced or in two chunks.
fn padded(length: usize, announced: bool) -> Answer {
    let body = format!("{SIGNED_IN}{}", " ".repeat(length - SIGNED_IN.len()));
    let (first, second) = body.split_at(length / 2);
    let reply = if announced {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
    } else {
        let (one, two) = (first.len(), second.len());
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{one:x}\r\n{first}\r\n{two:x}\r\n{second}\r\n0\r\n\r\n"
        )
    };
    Answer::Bytes(reply.into_bytes())
}

async fn a_reply_is_read_up_to_the_limit_and_not_beyond(adapter: Adapter) -> Outcome {
    for announced in [true, false] {
        let server =
            RawServer::start([padded(RESPONSE_LIMIT, announced), padded(RESPONSE_LIMIT + 1, announced)]).await?;
        let client = adapter.build(confidential(server.base_url()))?;
        refresh(&client).await?;
        let grant = client.authenticate_with_refresh_token(RefreshToken::new("the-token"));
        let (error, _) = rejection(grant.send().await).into_parts();
        assert!(matches!(error.kind(), ErrorKind::TooLarge), "announced: {announced}, {error:?}");
        assert_eq!(server.requests().len(), 2);
    }
    Ok(())
}

with_each_adapter![
    a_connection_is_used_again,
    a_connection_that_is_known_to_be_closed_is_not_used,
    a_code_on_a_connection_that_was_closed_meanwhile_arrives_once,
    a_code_of_which_a_part_was_read_is_not_sent_again,
    a_reply_is_read_up_to_the_limit_and_not_beyond,
];
