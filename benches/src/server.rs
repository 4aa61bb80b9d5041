//! The other end of a login: a server that gives the same answer to every request, as fast as it can.

use std::net::SocketAddr;
use std::sync::LazyLock;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Outcome;

pub const PATH: &str = "/user_management/authenticate";

/// An answer of `POST /user_management/authenticate` with its headers: 2.3 kB of JSON, of which 1 kB is the access token. WorkOS
/// sends no `token_type`; `oauth2` needs one, and the others skip it.
pub static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let claims = "c2lkIjoic2Vzc2lvbl8wMUhYWVoxMjM0NTY3ODlBQkNERUZHSElKIiwic3ViIjoi".repeat(10);
    let body = json!({
        "user": {
            "object": "user",
            "id": "user_01HXYZ123456789ABCDEFGHIJK",
            "email": "ada.lovelace@example.com",
            "email_verified": true,
            "name": "Ada Lovelace",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "profile_picture_url": "https://workoscdn.com/images/v1/cOdWWzLgY8vbJUkCFcXSPcHgMSxjBBJ3VOVIHdKT4u8",
            "locale": "en-US",
            "external_id": "employee-12345",
            "metadata": {"department": "Engineering", "employee": "E-12345", "note": "x".repeat(480)},
            "last_sign_in_at": "2026-11-27T09:15:42.123Z",
            "created_at": "2024-05-06T07:08:09.123Z",
            "updated_at": "2026-11-27T09:15:42.123Z"
        },
        "organization_id": "org_01HXYZ123456789ABCDEFGHIJK",
        "access_token": format!("eyJhbGciOiJSUzI1NiIsImtpZCI6InNzb19vaWRjIn0.{claims}.{}", "s".repeat(342)),
        "refresh_token": "yAjhKk123NLIjdrBdGZPf8pLIDvKabcdefghijklmn",
        "authentication_method": "Password",
        "token_type": "Bearer"
    })
    .to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Fri, 27 Nov 2026 09:15:42 GMT\r\nContent-Type: application/json; charset=utf-8\r\n\
         Content-Length: {}\r\nCache-Control: no-store\r\nStrict-Transport-Security: max-age=15552000\r\n\
         Vary: Origin, Accept-Encoding\r\nX-Request-Id: 7e5f4a1c-3f0b-4a57-9f0e-2f1f6f6b8a11\r\nServer: cloudflare\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
});

/// Answers until the process ends.
pub async fn serve(announce: impl FnOnce(SocketAddr) -> Outcome) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

/// The same on a thread of its own.
pub fn start() -> Outcome<SocketAddr> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve(|address| Ok(sender.send(address)?))).unwrap();
    });
    Ok(receiver.recv()?)
}

async fn answer(mut stream: TcpStream) {
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => filled += read,
        }
        while let Some(length) = request_length(&buffer[..filled]) {
            buffer.copy_within(length..filled, 0);
            filled -= length;
            if stream.write_all(&ANSWER).await.is_err() {
                return;
            }
        }
    }
}

/// The length of the first request, if all of it is here.
fn request_length(bytes: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let body = bytes[..head]
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))
        .and_then(|line| std::str::from_utf8(&line[NAME.len()..]).ok()?.trim().parse::<usize>().ok())
        .unwrap_or(0);
    (bytes.len() >= head + body).then_some(head + body)
}
