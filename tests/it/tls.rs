//! TLS on real sockets: whom the client trusts, and that nobody else gets a byte of a request.

use std::error::Error as StdError;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use workos_auth::session::RefreshError;
use workos_auth::transport::{HyperTransport, TransportError};
use workos_auth::{
    Callback, Client, ConfidentialClient, EmailAddress, Error, ErrorKind, ExposeSecret, Password, RefreshToken,
    Rejected,
};

use crate::support::Outcome;
use crate::support::adapter::{Adapter, with_each_adapter};
use crate::support::authority::{Authority, Certificate, Period, self_signed};
use crate::support::clients::{clock, public};
use crate::support::login::{redirect, rejection, state};
use crate::support::raw::SIGNED_IN;

/// What a server does with a connection.
#[derive(Clone)]
enum Server {
    /// Speaks TLS with a certificate, and signs everybody in.
    Tls(Arc<ServerConfig>),
    /// Reads what comes first, writes this, and reads on.
    Raw(&'static [u8]),
    /// Reads what comes first and closes.
    Closes,
    /// Reads, and says nothing.
    Silent,
}

impl Server {
    fn tls(certificate: &Certificate) -> Outcome<Self> {
        let chain = CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes())?;
        Ok(Self::Tls(Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?)))
    }

    async fn serve(self, mut stream: TcpStream, seen: &Mutex<Seen>) -> io::Result<()> {
        let answer = match self {
            Self::Tls(config) => {
                let mut stream = TlsAcceptor::from(config).accept(stream).await?;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{SIGNED_IN}",
                    SIGNED_IN.len()
                );
                record(&mut stream, seen).await?;
                stream.write_all(answer.as_bytes()).await?;
                return record_all(&mut stream, seen).await;
            }
            Self::Raw(answer) => answer,
            Self::Silent => return record_all(&mut stream, seen).await,
            Self::Closes => &[],
        };
        record(&mut stream, seen).await?;
        if answer.is_empty() {
            return Ok(());
        }
        stream.write_all(answer).await?;
        record_all(&mut stream, seen).await
    }
}

async fn record(stream: &mut (impl AsyncRead + Unpin), seen: &Mutex<Seen>) -> io::Result<usize> {
    let mut chunk = vec![0; 16_384];
    let length = stream.read(&mut chunk).await?;
    seen.lock().unwrap().bytes.extend_from_slice(&chunk[..length]);
    Ok(length)
}

async fn record_all(stream: &mut (impl AsyncRead + Unpin), seen: &Mutex<Seen>) -> io::Result<()> {
    while record(stream, seen).await? > 0 {}
    Ok(())
}

/// What came: of a TLS server what was in the tunnel, of another all bytes.
#[derive(Clone, Default)]
struct Seen {
    connections: usize,
    bytes: Vec<u8>,
}

struct Running {
    port: u16,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(server: Server) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let record = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                record.lock().unwrap().connections += 1;
                let (server, seen) = (server.clone(), Arc::clone(&record));
                tokio::spawn(async move { server.serve(stream, &seen).await });
            }
        });
        Ok(Self { port, seen, task })
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// A client that trusts this authority, and this one only.
    fn client(&self, adapter: Adapter, authority: &Authority) -> Outcome<ConfidentialClient> {
        Ok(adapter.trusting(self.builder(), authority)?)
    }

    fn builder(&self) -> workos_auth::ClientBuilder<workos_auth::Confidential> {
        public(format!("https://localhost:{}", self.port))
            .api_key("sk_canary")
            .timeout(Duration::from_secs(20))
            .clock(clock())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Every way to send a request: what failed, and whether the credential came back.
async fn requests(client: &ConfidentialClient) -> Outcome<Vec<(&'static str, Error, bool)>> {
    fn failed<F>(rejected: Rejected<F>) -> (Error, bool) {
        let (error, flow) = rejected.into_parts();
        (error, flow.is_some())
    }
    let session = client.authorize(redirect()).authkit().begin()?;
    let state = state(session.url());
    let code = session.exchange(Callback::from_url(&format!("/callback?code=code-canary&state={state}"))?)?;
    let refresh = client.authenticate_with_refresh_token(RefreshToken::new("token-canary"));
    let email = EmailAddress::new("ada@example.com")?;
    let password = client.authenticate_with_password(email, Password::new("password-canary"));

    let code = failed(rejection(code.send().await));
    let password = failed(rejection(password.send().await));
    let refresh = failed(rejection(refresh.send().await));
    let read = client.users().get(&"user_1".parse()?).send().await.err().ok_or("a user came")?;
    let device = client.device_authorization().send().await.err().ok_or("a device login began")?;
    Ok(vec![
        ("a code", code.0, code.1),
        ("a password", password.0, password.1),
        ("a refresh", refresh.0, refresh.1),
        ("a read", read, true),
        ("a device login", device, true),
    ])
}

fn whole_text(error: &Error) -> String {
    let sources = std::iter::successors(error.source(), |&error| error.source());
    [error.to_string(), format!("{error:?}")].into_iter().chain(sources.map(ToString::to_string)).collect()
}

async fn a_server_whose_authority_is_trusted_is_spoken_to(adapter: Adapter) -> Outcome {
    let authority = Authority::new("the authority")?;
    let server = Running::start(Server::tls(&authority.certify("localhost", Period::Now)?)?).await?;
    let grant = server.client(adapter, &authority)?.authenticate_with_refresh_token(RefreshToken::new("the-token"));
    assert_eq!(grant.send().await?.refresh_token.expose_secret(), "refresh-token-of-the-reply");
    let text = String::from_utf8(server.seen().bytes)?;
    assert_eq!(text.matches(r#""refresh_token":"the-token""#).count(), 1, "{text}");
    Ok(())
}

#[tokio::test]
async fn an_authority_may_be_trusted_beside_those_of_the_system() -> Outcome {
    let authority = Authority::new("the authority")?;
    let der = CertificateDer::from_pem_slice(authority.pem.as_bytes())?;
    let server = Running::start(Server::tls(&authority.certify("localhost", Period::Now)?)?).await?;
    let trusted = reqwest::Certificate::from_pem(authority.pem.as_bytes())?;
    for client in [
        server.builder().http_client(|http| http.tls_certs_merge([trusted])).build()?,
        server.builder().build_with(HyperTransport::builder().root_certificate_der(&der).build()?)?,
    ] {
        let grant = client.authenticate_with_refresh_token(RefreshToken::new("the-token"));
        assert_eq!(grant.send().await?.refresh_token.expose_secret(), "refresh-token-of-the-reply");
    }
    Ok(())
}

#[test]
fn what_is_not_a_certificate_is_refused_before_anything_is_sent() -> Outcome {
    let authority = Authority::new("the authority")?;
    let broken = authority.pem.replacen("MII", "AAA", 1);
    for (fault, builder) in [
        ("nothing", HyperTransport::builder().root_certificates_pem(b"")),
        ("no PEM", HyperTransport::builder().root_certificates_pem(b"canary")),
        ("a broken certificate", HyperTransport::builder().root_certificates_pem(broken.as_bytes())),
        ("PEM for DER", HyperTransport::builder().root_certificate_der(authority.pem.as_bytes())),
        (
            "a good one afterwards",
            HyperTransport::builder().root_certificate_der(b"canary").root_certificates_pem(authority.pem.as_bytes()),
        ),
    ] {
        let error = builder.build().err().ok_or(fault)?;
        assert!(
            matches!(error.kind(), ErrorKind::InvalidValue { field: "root_certificate", .. }),
            "{fault}: {error:?}"
        );
    }
    let error = HyperTransport::builder().without_system_authorities().build().err().ok_or("nobody is trusted")?;
    assert!(matches!(error.kind(), ErrorKind::NoAuthorities), "{error:?}");
    let error = HyperTransport::builder().connect_timeout(Duration::ZERO).build().err().ok_or("no time")?;
    assert!(matches!(error.kind(), ErrorKind::InvalidValue { field: "connect_timeout", .. }), "{error:?}");
    Ok(())
}

/// Certificates for a client that trusts only the authority and asks for `localhost`, and what it says of them.
fn untrusted(
    authority: &Authority,
    stranger: &Authority,
) -> Result<[(&'static str, Certificate, &'static str); 5], rcgen::Error> {
    Ok([
        ("of an unknown authority", stranger.certify("localhost", Period::Now)?, "UnknownIssuer"),
        ("of another name", authority.certify("other.example.com", Period::Now)?, "not valid for name"),
        ("of the past", authority.certify("localhost", Period::Past)?, "certificate expired"),
        ("of the future", authority.certify("localhost", Period::Future)?, "certificate not valid yet"),
        ("of itself", self_signed("localhost")?, "UnknownIssuer"),
    ])
}

async fn a_certificate_that_is_not_trusted_gets_no_byte_of_a_request_and_no_second_attempt(
    adapter: Adapter,
) -> Outcome {
    let (authority, stranger) = (Authority::new("the authority")?, Authority::new("a stranger")?);
    for (fault, certificate, told) in untrusted(&authority, &stranger)? {
        let server = Running::start(Server::tls(&certificate)?).await?;
        let requests = requests(&server.client(adapter, &authority)?).await?;
        assert_eq!(server.seen().connections, requests.len(), "{fault}: one attempt for each request");
        assert_eq!(server.seen().bytes, b"", "{fault}");
        for (request, error, returned) in requests {
            assert!(matches!(error.kind(), ErrorKind::Certificate), "{request}, {fault}: {error:?}");
            assert!(!error.is_transient() && returned, "{request}, {fault}: {error:?}");
            let text = whole_text(&error);
            assert!(text.contains(told), "{fault}: {text}");
            for advice in ["clock", "authorities", "proxy"] {
                assert!(error.to_string().contains(advice), "{fault}: {error}");
            }
            assert!(!text.contains("canary"), "{text}");
        }
    }
    Ok(())
}

async fn the_authorities_of_the_system_do_not_trust_ours(adapter: Adapter) -> Outcome {
    let authority = Authority::new("the authority")?;
    let server = Running::start(Server::tls(&authority.certify("localhost", Period::Now)?)?).await?;
    for (request, error, returned) in requests(&adapter.build(server.builder())?).await? {
        assert!(matches!(error.kind(), ErrorKind::Certificate), "{request}: {error:?}");
        assert!(returned, "{request}");
    }
    assert_eq!(server.seen().bytes, b"");
    Ok(())
}

/// A `ServerHello` of TLS 1.1 (RFC 4346 §7.4.1.3): version 3.2, 32 random bytes, no session, `ECDHE_RSA_WITH_AES_128_CBC_SHA`.
const TLS_1_1: &[u8] = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02\
    \x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\
    \x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x20\
    \x00\xc0\x13\x00";
/// A server of TLS 1.1 that knows our versions and has none of them: the alert `protocol_version`.
const NO_COMMON_VERSION: &[u8] = b"\x15\x03\x02\x00\x02\x02\x46";
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";

async fn a_server_without_tls_1_2_gets_no_byte_of_a_request_and_no_second_attempt(adapter: Adapter) -> Outcome {
    const HANDSHAKE: u8 = 22;
    const ALERT: u8 = 21;
    let authority = Authority::new("the authority")?;
    for (fault, answer) in [("TLS 1.1", TLS_1_1), ("only TLS 1.1", NO_COMMON_VERSION), ("plain HTTP", NO_TLS)] {
        let server = Running::start(Server::Raw(answer)).await?;
        let requests = requests(&server.client(adapter, &authority)?).await?;
        let seen = server.seen();
        assert_eq!(seen.connections, requests.len(), "{fault}: one attempt for each request");
        let mut rest = seen.bytes.as_slice();
        while let [kind, _, _, high, low, after @ ..] = rest {
            assert!([HANDSHAKE, ALERT].contains(kind), "{fault}: a record of type {kind}");
            rest = &after[usize::from(u16::from_be_bytes([*high, *low]))..];
        }
        assert!(rest.is_empty() && !seen.bytes.is_empty(), "{fault}");
        for (request, error, returned) in requests {
            assert!(matches!(error.kind(), ErrorKind::Tls), "{request}, {fault}: {error:?}");
            assert!(!error.is_transient() && returned, "{request}, {fault}: {error:?}");
            assert!(error.to_string().contains("TLS 1.2 or later"), "{error}");
            assert!(!whole_text(&error).contains("canary"), "{error:?}");
        }
    }
    Ok(())
}

/// A server that has no memory left, for example: the alert `internal_error`.
const TROUBLE_OF_ITS_OWN: &[u8] = b"\x15\x03\x03\x00\x02\x02\x50";

async fn a_handshake_that_is_cut_off_or_that_the_server_has_trouble_with_is_tried_again(adapter: Adapter) -> Outcome {
    let authority = Authority::new("the authority")?;
    for behaviour in [Server::Closes, Server::Raw(TROUBLE_OF_ITS_OWN)] {
        let server = Running::start(behaviour).await?;
        let client = server.client(adapter, &authority)?;
        let grant = client.authenticate_with_refresh_token(RefreshToken::new("the-token"));
        let (error, grant) = rejection(grant.send().await).into_parts();
        assert!(matches!(error.kind(), ErrorKind::NotSent), "{error:?}");
        assert!(error.is_transient() && grant.is_some());
        assert_eq!(server.seen().connections, 4);
    }
    Ok(())
}

async fn a_handshake_that_is_never_answered_ends_with_the_connect_timeout_and_nothing_was_sent(
    adapter: Adapter,
) -> Outcome {
    let server = Running::start(Server::Silent).await?;
    let client = adapter.connecting_within(server.builder(), Duration::from_millis(200))?;
    let grant = client.authenticate_with_refresh_token(RefreshToken::new("the-token"));
    let (error, grant) = rejection(grant.send().await).into_parts();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error:?}");
    assert!(error.is_transient() && grant.is_some() && error.replay_before().is_none());
    assert_eq!(server.seen().connections, 4);
    Ok(())
}

#[tokio::test]
async fn a_foreign_transport_says_the_same_and_a_device_login_does_not_wait_in_vain() -> Outcome {
    const BEGUN: &str = r#"{"device_code":"device-code","user_code":"ABCD","expires_in":300,
        "verification_uri":"https://example.com/device"}"#;
    type Tell = fn(io::Error) -> TransportError;
    let told: [(Tell, &str); 2] = [
        (TransportError::certificate, "the server's certificate was refused"),
        (TransportError::tls, "no TLS connection could be agreed on"),
    ];
    for (tell, expected) in told {
        let polls = Arc::new(Mutex::new(0));
        let count = Arc::clone(&polls);
        let transport = move |request: http::Request<Bytes>| {
            let begin = request.uri().path().ends_with("/authorize/device");
            *count.lock().unwrap() += usize::from(!begin);
            let source = io::Error::other("of the transport");
            async move {
                if begin { Ok(http::Response::new(Bytes::from_static(BEGUN.as_bytes()))) } else { Err(tell(source)) }
            }
        };
        let login = Client::builder().client_id("client_123").build_with(transport)?;
        let login = login.device_authorization().send().await?;
        let waited = tokio::time::timeout(Duration::from_secs(60), login.wait()).await?;
        let (error, login) = rejection(waited).into_parts();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("of the transport"));
        assert!(!error.is_transient() && login.is_some());
        assert_eq!(*polls.lock().unwrap(), 1);
    }
    Ok(())
}

async fn a_session_is_kept_while_the_certificate_is_not_trusted(adapter: Adapter) -> Outcome {
    let (authority, stranger) = (Authority::new("the authority")?, Authority::new("a stranger")?);
    let good = Running::start(Server::tls(&authority.certify("localhost", Period::Now)?)?).await?;
    let grant = good.client(adapter, &authority)?.authenticate_with_refresh_token(RefreshToken::new("the-token"));
    let response = grant.send().await?;

    let bad = Running::start(Server::tls(&stranger.certify("localhost", Period::Now)?)?).await?;
    match bad.client(adapter, &authority)?.session(response).refresh().await {
        Err(RefreshError::Kept(kept)) => {
            assert!(matches!(kept.error().kind(), ErrorKind::Certificate), "{:?}", kept.error());
            assert_eq!(kept.error().replay_before(), None);
        }
        other => panic!("not kept: {other:?}"),
    }
    assert_eq!((bad.seen().connections, bad.seen().bytes.as_slice()), (1, b"".as_slice()));
    Ok(())
}

with_each_adapter![
    a_server_whose_authority_is_trusted_is_spoken_to,
    a_certificate_that_is_not_trusted_gets_no_byte_of_a_request_and_no_second_attempt,
    the_authorities_of_the_system_do_not_trust_ours,
    a_server_without_tls_1_2_gets_no_byte_of_a_request_and_no_second_attempt,
    a_handshake_that_is_cut_off_or_that_the_server_has_trouble_with_is_tried_again,
    a_handshake_that_is_never_answered_ends_with_the_connect_timeout_and_nothing_was_sent,
    a_session_is_kept_while_the_certificate_is_not_trusted,
];

#[cfg(feature = "redis")]
mod of_redis {
    use std::io;
    use std::time::Duration;

    use redis::TlsCertificates;
    use redis::aio::{ConnectionManager, ConnectionManagerConfig};
    use workos_auth::ErrorKind;
    use workos_auth::session::{RedisSessionStore, SessionStore};

    use super::{Running, Server, untrusted};
    use crate::support::Outcome;
    use crate::support::authority::Authority;

    #[tokio::test]
    async fn a_redis_whose_certificate_is_not_trusted_gets_no_byte() -> Outcome {
        let (authority, stranger) = (Authority::new("the authority")?, Authority::new("a stranger")?);
        for (fault, certificate, told) in untrusted(&authority, &stranger)? {
            let server = Running::start(Server::tls(&certificate)?).await?;
            let trusted = TlsCertificates { client_tls: None, root_cert: Some(authority.pem.clone().into_bytes()) };
            let url = format!("rediss://user:canary@localhost:{}/", server.port);
            let client = redis::Client::build_with_tls(url.as_str(), trusted)?;
            let config =
                ConnectionManagerConfig::new().set_number_of_retries(1).set_max_delay(Duration::from_millis(10));
            let given = RedisSessionStore::new(ConnectionManager::new_lazy_with_config(client, config)?);
            let system = RedisSessionStore::from_url(&url)?;
            let error = given.load("key").await.err().ok_or("it was trusted")?;
            assert!(error.to_string().contains(told), "{fault}: {error}");
            for error in [error, system.load("key").await.err().ok_or("the system trusts it")?] {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{fault}: {error}");
                assert!(error.to_string().contains("clock") && !format!("{error:?}").contains("canary"), "{error:?}");
            }
            assert_eq!(server.seen().bytes, b"", "{fault}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn the_address_of_a_redis_does_not_switch_the_verification_off() {
        let error = RedisSessionStore::from_url("rediss://user:canary@localhost/#insecure").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidValue { field: "redis_url", .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("canary"));
    }
}
