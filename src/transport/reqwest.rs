//! The transport that uses `reqwest`.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use reqwest::{Url, redirect};

use super::buffer::ReplyBuffer;
use super::{Transport, TransportError, tls};
use crate::environment::Proxy;
use crate::error::Error;

pub(crate) struct ReqwestTransport {
    client: reqwest::Client,
    /// The origin of the first request.
    origin: OnceLock<Option<Origin>>,
}

/// An origin as a URL, which isn't parsed again for each request.
struct Origin {
    scheme: String,
    authority: String,
    /// Without a path, which may be a secret.
    url: Url,
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
        let url = Url::parse(&format!("{scheme}://{authority}/")).ok()?;
        Some(Self { scheme: scheme.to_owned(), authority: authority.to_owned(), url })
    }

    fn is_of(&self, uri: &Uri) -> bool {
        uri.scheme_str() == Some(&self.scheme) && uri.authority().is_some_and(|one| one.as_str() == self.authority)
    }
}

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
        #[cfg(feature = "http2")]
        let builder = builder.http2_keep_alive_interval(super::PING).http2_keep_alive_timeout(super::PING);
        let client = builder.build().map_err(|error| match tls::cause(&error) {
            // The platform's verifier fails in this way when it has found no authorities.
            Some(rustls::Error::General(_)) => Error::no_authorities(error.without_url()),
            _ => Error::http_client(error.without_url()),
        })?;
        Ok(Self { client, origin: OnceLock::new() })
    }

    fn url(&self, uri: &Uri) -> Option<Url> {
        let mut url = match self.origin.get_or_init(|| Origin::of(uri)) {
            Some(origin) if origin.is_of(uri) => origin.url.clone(),
            _ => Origin::of(uri)?.url,
        };
        url.set_path(uri.path());
        url.set_query(uri.query());
        Some(url)
    }
}

impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (head, body) = request.into_parts();
        let url = self.url(&head.uri).ok_or_else(|| TransportError::not_sent(InvalidUrl))?;
        let mut request = reqwest::Request::new(head.method, url);
        *request.headers_mut() = head.headers;
        *request.body_mut() = Some(body.into());
        let mut response = self.client.execute(request).await.map_err(failed)?;
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

/// The URL has no host that `reqwest` can read.
#[derive(Debug, thiserror::Error)]
#[error("the URL can't be read")]
struct InvalidUrl;

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
