//! A server that misbehaves on purpose, on a real socket.

#![allow(dead_code, reason = "each program uses a part of it")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A login that is finished.
pub(crate) const SIGNED_IN: &str = r#"{
    "user": {"object": "user", "id": "user_01", "email": "ada@example.com", "email_verified": true,
             "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z"},
    "access_token": "access-token-of-the-reply", "refresh_token": "refresh-token-of-the-reply"
}"#;

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Writes these bytes and closes.
    Bytes(Vec<u8>),
    /// Writes these bytes after a while and closes.
    Late(Duration, Vec<u8>),
    /// Reads the request and closes without a word.
    Close,
    /// Writes these bytes, then resets the connection (RST).
    Reset(Vec<u8>),
    /// Reads the request and says nothing for longer than any test waits.
    Stall,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::with_headers(status, "content-type: application/json\r\n", body)
    }

    pub(crate) fn with_headers(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(
            format!("HTTP/1.1 {status} Status\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
                .into_bytes(),
        )
    }

    /// A reply that ends before its announced length.
    pub(crate) fn truncated(body: &str) -> Self {
        let length = body.len() + 100;
        Self::Bytes(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes())
    }

    /// A reply of 5 MB, with its length announced or in chunks.
    pub(crate) fn large(announced: bool) -> Self {
        const SIZE: usize = 5_000_000;
        let mut bytes = if announced {
            format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n").into_bytes()
        } else {
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{SIZE:x}\r\n").into_bytes()
        };
        bytes.resize(bytes.len() + SIZE, b' ');
        if !announced {
            bytes.extend_from_slice(b"\r\n0\r\n\r\n");
        }
        Self::Bytes(bytes)
    }
}

/// Answers the n-th request with the n-th answer, and every later one with the last.
pub(crate) struct RawServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl RawServer {
    pub(crate) async fn start(answers: impl Into<Vec<Answer>>) -> std::io::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), answers).await
    }

    pub(crate) async fn start_on(address: SocketAddr, answers: impl Into<Vec<Answer>>) -> std::io::Result<Self> {
        let answers = answers.into();
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answers) = (Arc::clone(&seen), answers.clone());
                tokio::spawn(async move {
                    let _ = serve(stream, &seen, &answers).await;
                });
            }
        });
        Ok(Self { address, requests, task })
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request that arrived complete, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>, answers: &[Answer]) -> std::io::Result<()> {
    let Some(request) = read(&mut stream).await? else { return Ok(()) };
    let answer = {
        let mut seen = seen.lock().unwrap();
        let answer = answers[seen.len().min(answers.len() - 1)].clone();
        seen.push(request);
        answer
    };
    match answer {
        Answer::Bytes(bytes) => stream.write_all(&bytes).await,
        Answer::Late(after, bytes) => {
            tokio::time::sleep(after).await;
            stream.write_all(&bytes).await
        }
        Answer::Close => Ok(()),
        Answer::Reset(bytes) => {
            stream.write_all(&bytes).await?;
            // What is written must arrive before the reset overtakes it.
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.set_zero_linger()
        }
        Answer::Stall => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
    }
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Ok(Some(text));
            }
        }
    }
}

/// An address of loopback where nobody listens.
pub(crate) async fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()
}
