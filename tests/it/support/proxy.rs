//! A proxy for https, and a server behind it.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::authority::Certificate;
use super::raw::SIGNED_IN;

pub(crate) fn acceptor(certificate: &Certificate) -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes())?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Signs everybody in, over TLS.
pub(crate) async fn api(listener: TcpListener, tls: TlsAcceptor) -> io::Result<()> {
    loop {
        let mut stream = tls.accept(listener.accept().await?.0).await?;
        let _ = head(&mut stream).await?;
        let length = SIGNED_IN.len();
        let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{SIGNED_IN}");
        stream.write_all(reply.as_bytes()).await?;
        stream.shutdown().await?;
    }
}

/// What a proxy does with every tunnel that it is asked for.
#[derive(Clone)]
pub(crate) enum Proxying {
    /// Makes it, to this address whatever the name.
    To(String),
    /// Answers this.
    Refuses(&'static str),
}

/// A proxy with TLS of its own or without. It records what it can read.
pub(crate) async fn proxy(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    proxying: Proxying,
    seen: Arc<Mutex<Vec<u8>>>,
) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        // A client that doesn't trust the proxy's certificate goes away.
        let _ = match &tls {
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => tunnel(stream, &proxying, &seen).await,
                Err(error) => Err(error),
            },
            None => tunnel(stream, &proxying, &seen).await,
        };
    }
}

async fn tunnel(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    proxying: &Proxying,
    seen: &Mutex<Vec<u8>>,
) -> io::Result<()> {
    let asked = head(&mut stream).await?;
    seen.lock().unwrap().extend_from_slice(&asked);
    match proxying {
        Proxying::To(address) => {
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            copy_bidirectional(&mut stream, &mut TcpStream::connect(address).await?).await?;
        }
        Proxying::Refuses(answer) => {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await?;
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await?;
            seen.lock().unwrap().extend_from_slice(&rest);
        }
    }
    Ok(())
}

async fn head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await?);
    }
    Ok(bytes)
}
