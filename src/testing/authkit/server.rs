//! The HTTP server on loopback, and the faults that a test injects into it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::fault::Fault;
use super::reply::{self, Reply};
use super::routes::route;
use super::state::SharedState;

pub(super) async fn serve(listener: TcpListener, state: SharedState) {
    // All connections close when this task ends.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The connection was reset in the queue, or there is no free descriptor: try the next one.
            tokio::task::yield_now().await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let state = state.clone();
                async move { respond(&state, request).await }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The reply, or the injected fault. An error closes the connection.
async fn respond(state: &SharedState, request: Request<Incoming>) -> io::Result<Response<ReplyBody>> {
    let closed = || io::Error::from(io::ErrorKind::ConnectionAborted);
    let fault = state.lock().count_request(request.uri().path());
    match fault {
        Some(Fault::Status(status, retry_after)) => return Ok(status_fault(status, retry_after).map(ReplyBody::new)),
        Some(Fault::Stall) => std::future::pending::<()>().await,
        Some(Fault::LostBefore) => return Err(closed()),
        _ => {}
    }
    let reply = route(state, request).await.map(ReplyBody::new);
    match fault {
        Some(Fault::Slow(delay)) => tokio::time::sleep(delay).await,
        Some(Fault::LostAfter) => return Err(closed()),
        Some(Fault::Truncated) => return Ok(reply.map(ReplyBody::truncate)),
        _ => {}
    }
    Ok(reply)
}

fn status_fault(status: u16, retry_after: Option<u64>) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = reply::json(status, &json!({"message": "A fault was injected."}));
    reply.headers_mut().extend(retry_after.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
    reply
}

/// The body of a reply. A truncated one announces its whole length, and ends in the middle with an error.
struct ReplyBody {
    body: Full<Bytes>,
    length: u64,
    truncated: bool,
}

impl ReplyBody {
    fn new(body: Full<Bytes>) -> Self {
        let length = body.size_hint().exact().unwrap_or_default();
        Self { body, length, truncated: false }
    }

    fn truncate(self) -> Self {
        Self { truncated: true, ..self }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let truncated = self.truncated;
        Pin::new(&mut self.body).poll_frame(context).map(|frame| match frame {
            Some(Ok(frame)) => {
                Some(Ok(frame.map_data(|data| if truncated { data.slice(..data.len() / 2) } else { data })))
            }
            Some(Err(never)) => match never {},
            None if truncated => Some(Err(io::ErrorKind::ConnectionAborted.into())),
            None => None,
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
