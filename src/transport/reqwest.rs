//! The transport that uses `reqwest`.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use reqwest::redirect;
use zeroize::Zeroizing;

use super::{RESPONSE_LIMIT, Transport, TransportError, tls};
use crate::error::Error;

pub(crate) struct ReqwestTransport(reqwest::Client);

impl ReqwestTransport {
    /// Uses the caller's configuration, and overrides the settings that security depends on.
    pub(crate) fn new(builder: reqwest::ClientBuilder, connect_timeout: Duration) -> Result<Self, Error> {
        // A redirect would send a secret to another origin, and a hidden retry would send a code twice.
        let builder = builder
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(connect_timeout);
        builder.build().map(Self).map_err(|error| match tls::cause(&error) {
            // The platform's verifier fails in this way when it has found no authorities.
            Some(rustls::Error::General(_)) => Error::no_authorities(error.without_url()),
            _ => Error::http_client(error.without_url()),
        })
    }
}

impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let mut response = self.0.execute(request).await.map_err(failed)?;
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).is_ok_and(|length| length > RESPONSE_LIMIT) {
            return Err(TransportError::too_large());
        }
        let mut body = ReplyBuffer::default();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.push(&chunk)?;
        }
        let mut reply = Response::new(Bytes::from_owner(body));
        *reply.status_mut() = response.status();
        *reply.headers_mut() = std::mem::take(response.headers_mut());
        Ok(reply)
    }
}

fn failed(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    if error.is_connect()
        && let Some(cause) = tls::cause(&error)
    {
        let cause = cause.clone();
        if tls::is_certificate(&cause) { TransportError::certificate(cause) } else { TransportError::tls(cause) }
    } else if error.is_connect() || error.is_builder() {
        TransportError::not_sent(error)
    } else if error.is_timeout() {
        TransportError::timeout()
    } else {
        TransportError::interrupted(error)
    }
}

/// A reply while it is read. Replies contain tokens, so every allocation is wiped.
#[derive(Default)]
struct ReplyBuffer(Zeroizing<Vec<u8>>);

impl ReplyBuffer {
    fn push(&mut self, chunk: &[u8]) -> Result<(), TransportError> {
        let length = self.0.len() + chunk.len();
        if length > RESPONSE_LIMIT {
            return Err(TransportError::too_large());
        }
        if length > self.0.capacity() {
            // A `Vec` that grows by itself leaves a copy in memory.
            let mut grown = Zeroizing::new(Vec::with_capacity(length.next_power_of_two().max(4096)));
            grown.extend_from_slice(&self.0);
            self.0 = grown;
        }
        self.0.extend_from_slice(chunk);
        Ok(())
    }
}

impl AsRef<[u8]> for ReplyBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
