//! Connections that are used more than once: what is reused, what is noticed, and that no request arrives twice.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use workos_auth::transport::{HyperTransport, RESPONSE_LIMIT, Transport, TransportErrorKind};
use workos_auth::{ConfidentialClient, ErrorKind, RefreshToken};

use crate::support::Outcome;
use crate::support::adapter::{Adapter, with_each_adapter};
use crate::support::clients::{clock, confidential};
use crate::support::login::{authorization_code, rejection};
use crate::support::raw::{Answer, RawServer, SIGNED_IN};

/// What the server does with one connection after the other.
#[derive(Clone, Copy)]
enum Conduct {
    /// Answers so many requests, then closes when it is told to.
    Answers(usize),
    /// Reads so many bytes of a request, then resets the connection.
    Resets(usize),
}

/// A server with a thread of its own, so that it goes on while the client's runtime rests.
struct Server {
    base_url: String,
    close: Sender<()>,
    /// Each connection that is closed, with the requests that arrived on it.
    closed: Receiver<Vec<String>>,
    /// It listens until the test is over: a connection that nobody expects gets no answer.
    thread: JoinHandle<TcpListener>,
}

impl Server {
    fn start(conducts: &'static [Conduct]) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let ((close, told), (closing, closed)) = (mpsc::channel(), mpsc::channel());
        let thread = thread::spawn(move || {
            for conduct in conducts {
                let (stream, _) = listener.accept().unwrap();
                let requests = serve(stream, *conduct, &told);
                closing.send(requests).unwrap();
            }
            listener
        });
        Ok(Self { base_url, close, closed, thread })
    }

    /// Closes the connection that is open, and returns when that is done. It blocks the thread of the client's runtime.
    fn close(&self) -> Outcome {
        self.close.send(())?;
        self.closed.recv_timeout(Duration::from_secs(10))?;
        // The client's side of the system has the end then.
        thread::sleep(Duration::from_millis(50));
        Ok(())
    }

    /// The requests of all connections that weren't closed before.
    fn finish(self) -> Vec<String> {
        drop(self.close);
        let _listener = self.thread.join().unwrap();
        self.closed.try_iter().flatten().collect()
    }
}

fn serve(mut stream: TcpStream, conduct: Conduct, told: &Receiver<()>) -> Vec<String> {
    match conduct {
        Conduct::Answers(requests) => {
            let answer = |_| {
                let request = read(&mut stream, usize::MAX);
                let length = SIGNED_IN.len();
                let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{SIGNED_IN}");
                stream.write_all(reply.as_bytes()).unwrap();
                request
            };
            let requests = (0..requests).map(answer).collect();
            // A test that is over closes all.
            let _ = told.recv();
            requests
        }
        // What isn't read when a socket is closed makes it a reset.
        Conduct::Resets(bytes) => vec![read(&mut stream, bytes)],
    }
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
    server.close()?;
    // The runtime sees it.
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(client.authenticate_with_code(authorization_code("the-code")).send().await?);
    assert_eq!(codes(&server.finish()), 1);
    Ok(())
}

/// The server has closed while the client's runtime rested, so the request is written before the client learns of it.
async fn a_code_on_a_connection_that_was_closed_unseen_is_not_sent_again(adapter: Adapter) -> Outcome {
    let server = Server::start(&[Conduct::Answers(1)])?;
    let client = adapter.build(confidential(server.base_url.as_str()).clock(clock()))?;
    refresh(&client).await?;
    server.close()?;
    let rejected = rejection(client.authenticate_with_code(authorization_code("the-code")).send().await);
    let (error, code) = rejected.into_parts();
    assert!(matches!(error.kind(), ErrorKind::Interrupted), "{error:?}");
    assert!(code.is_none());
    Ok(())
}

/// `hyper` gives the request back: it still waited when the connection ended.
#[test]
fn a_request_that_was_not_begun_was_not_sent() -> Outcome {
    let server = Server::start(&[Conduct::Answers(1)])?;
    let transport = HyperTransport::new()?;
    let request = || http::Request::post(server.base_url.as_str()).body(Bytes::from_static(b"{}"));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let gone = runtime()?;
    gone.block_on(async {
        drop(transport.send(request()?).await?);
        // The connection goes back to the pool.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Outcome::Ok(())
    })?;
    let mut second = pin!(transport.send(request()?));
    {
        let _entered = gone.enter();
        assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    // With the task of the connection.
    drop(gone);
    let error = runtime()?.block_on(second).err().ok_or("there was a reply")?;
    assert_eq!(error.kind(), TransportErrorKind::NotSent, "{error:?}");
    assert_eq!(server.finish().len(), 1);
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
        server.close()?;
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
    a_code_on_a_connection_that_was_closed_unseen_is_not_sent_again,
    a_code_of_which_a_part_was_read_is_not_sent_again,
    a_reply_is_read_up_to_the_limit_and_not_beyond,
];
