//! Finds the error of rustls inside the errors of the libraries that use it.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::AlertDescription;

#[cfg(any(feature = "hyper", feature = "reqwest"))]
use super::TransportError;

/// What it means that no connection was made.
#[cfg(any(feature = "hyper", feature = "reqwest"))]
pub(super) fn not_connected(error: impl StdError + Send + Sync + 'static) -> TransportError {
    match cause(&error) {
        Some(cause) if is_certificate(cause) => TransportError::certificate(cause.clone()),
        Some(cause) => TransportError::tls(cause.clone()),
        None => TransportError::not_sent(error),
    }
}

/// The error of rustls inside this error, if another attempt would fail too. A server with a temporary problem, such as no memory,
/// sends `internal_error` (RFC 8446 §6.2), and may accept another attempt.
pub(crate) fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut error = error;
    loop {
        if let Some(found) = error.downcast_ref() {
            let is_temporary = matches!(found, rustls::Error::AlertReceived(AlertDescription::InternalError));
            return (!is_temporary).then_some(found);
        }
        error = if let Some(wrapper) = error.downcast_ref::<io::Error>() {
            // Its `source()` skips the wrapped error.
            wrapper.get_ref()?
        } else if let Some(shared) = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
            &**shared
        } else {
            error.source()?
        };
    }
}

/// Whether it is about the certificate that the server sent.
pub(crate) fn is_certificate(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(_)
            | rustls::Error::InvalidCertRevocationList(_)
            | rustls::Error::NoCertificatesPresented
            | rustls::Error::UnsupportedNameType
            // The errors of some platforms' verifiers when they can't decide.
            | rustls::Error::General(_)
            | rustls::Error::Other(_)
    )
}
