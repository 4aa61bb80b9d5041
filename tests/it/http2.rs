//! HTTP/2 (feature `http2`): it is agreed on in the handshake of TLS, and the same rules hold.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use workos_auth::transport::RESPONSE_LIMIT;
use workos_auth::{ConfidentialClient, ErrorKind, ExposeSecret, RefreshToken};

use crate::support::Outcome;
use crate::support::adapter::{Adapter, with_each_adapter};
use crate::support::authority::{Authority, Period};
use crate::support::clients::{clock, confidential};
use crate::support::login::{authorization_code, rejection};
use crate::support::raw::SIGNED_IN;

/// What the server does with every request.
#[derive(Clone)]
enum Conduct {
    Answers(Bytes),
    /// Ends the stream without an answer.
    Resets,
}

/// A server that speaks nothing but HTTP/2.
struct Server {
    base_url: String,
    authority: Authority,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Bytes>>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(conduct: Conduct) -> Outcome<Self> {
        let authority = Authority::new("the authority")?;
        let certificate = authority.certify("localhost", Period::Now)?;
        let chain = CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes())?;
        let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base_url = format!("https://localhost:{}", listener.local_addr()?.port());
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, record) = (Arc::clone(&connections), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (acceptor, conduct, record) = (acceptor.clone(), conduct.clone(), Arc::clone(&record));
                tokio::spawn(async move {
                    let stream = TokioIo::new(acceptor.accept(stream).await?);
                    let answer = service_fn(move |request| answer(request, conduct.clone(), Arc::clone(&record)));
                    let serving = http2::Builder::new(TokioExecutor::new()).serve_connection(stream, answer);
                    serving.await.map_err(io::Error::other)
                });
            }
        });
        Ok(Self { base_url, authority, connections, requests, task })
    }

    fn client(&self, adapter: Adapter) -> Outcome<ConfidentialClient> {
        let builder = confidential(self.base_url.as_str()).clock(clock());
        Ok(adapter.trusting(builder, &self.authority)?)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<Bytes> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    conduct: Conduct,
    record: Arc<Mutex<Vec<Bytes>>>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    assert_eq!(request.version(), Version::HTTP_2);
    let body = request.into_body().collect().await?.to_bytes();
    record.lock().unwrap().push(body);
    match conduct {
        Conduct::Answers(body) => Ok(Response::new(Full::new(body))),
        Conduct::Resets => Err("no answer".into()),
    }
}

async fn requests_share_a_connection(adapter: Adapter) -> Outcome {
    let server = Server::start(Conduct::Answers(Bytes::from_static(SIGNED_IN.as_bytes()))).await?;
    let client = server.client(adapter)?;
    let send = || client.authenticate_with_refresh_token(RefreshToken::new("the-token")).send();
    assert_eq!(send().await?.access_token.expose_secret(), "access-token-of-the-reply");
    let (one, two, three) = tokio::join!(send(), send(), send());
    for response in [one, two, three] {
        assert_eq!(response?.access_token.expose_secret(), "access-token-of-the-reply");
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 4));
    Ok(())
}

async fn a_reply_beyond_the_limit_is_refused(adapter: Adapter) -> Outcome {
    let server = Server::start(Conduct::Answers(Bytes::from(vec![b' '; RESPONSE_LIMIT + 1]))).await?;
    let grant = server.client(adapter)?.authenticate_with_refresh_token(RefreshToken::new("the-token"));
    let (error, _) = rejection(grant.send().await).into_parts();
    assert!(matches!(error.kind(), ErrorKind::TooLarge), "{error:?}");
    assert_eq!(server.requests().len(), 1);
    Ok(())
}

async fn a_code_whose_stream_was_reset_is_not_sent_again(adapter: Adapter) -> Outcome {
    let server = Server::start(Conduct::Resets).await?;
    let exchange = server.client(adapter)?.authenticate_with_code(authorization_code("the-code"));
    let (error, code) = rejection(exchange.send().await).into_parts();
    assert!(matches!(error.kind(), ErrorKind::Interrupted), "{error:?}");
    assert!(code.is_none());
    assert_eq!(server.requests().len(), 1);
    Ok(())
}

with_each_adapter![
    requests_share_a_connection,
    a_reply_beyond_the_limit_is_refused,
    a_code_whose_stream_was_reset_is_not_sent_again,
];
