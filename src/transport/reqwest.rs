//! The transport that uses `reqwest`.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use reqwest::redirect;

use super::buffer::ReplyBuffer;
use super::{Transport, TransportError, tls};
use crate::environment::Proxy;
use crate::error::Error;

pub(crate) struct ReqwestTransport(reqwest::Client);

impl ReqwestTransport {
    /// Uses the caller's configuration, and overrides the settings that security depends on.
    pub(crate) fn new(
        mut builder: reqwest::ClientBuilder,
        connect_timeout: Duration,
        proxy: Option<Proxy>,
    ) -> Result<Self, Error> {
        if let Some(proxy) = proxy {
            let through = reqwest::Proxy::https(proxy.address.as_str()).map_err(|_| proxy.refused())?;
            builder = builder.proxy(through.no_proxy(reqwest::NoProxy::from_string(&proxy.direct)));
        }
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
        let mut body = ReplyBuffer::announced(response.content_length())?;
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.push(&chunk)?;
        }
        let mut reply = Response::new(body.into_bytes());
        *reply.status_mut() = response.status();
        *reply.headers_mut() = std::mem::take(response.headers_mut());
        Ok(reply)
    }
}

fn failed(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    if error.is_connect() {
        tls::not_connected(error)
    } else if error.is_builder() {
        TransportError::not_sent(error)
    } else if error.is_timeout() {
        TransportError::timeout()
    } else {
        TransportError::interrupted(error)
    }
}
