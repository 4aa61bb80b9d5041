//! What rustls said, found where the libraries above it have wrapped it.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::AlertDescription;

/// The error of rustls that this error tells of, if another attempt would end the same way. A server that has trouble of its own,
/// such as no memory, says `internal_error` (RFC 8446 §6.2), and may have got over it by then.
pub(crate) fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut error = error;
    loop {
        if let Some(found) = error.downcast_ref() {
            let passing = matches!(found, rustls::Error::AlertReceived(AlertDescription::InternalError));
            return (!passing).then_some(found);
        }
        error = if let Some(wrapper) = error.downcast_ref::<io::Error>() {
            // Its `source()` passes over what it wraps.
            wrapper.get_ref()?
        } else if let Some(shared) = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
            &**shared
        } else {
            error.source()?
        };
    }
}

/// Whether it is about the certificate that the server has shown.
pub(crate) fn is_certificate(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(_)
            | rustls::Error::InvalidCertRevocationList(_)
            | rustls::Error::NoCertificatesPresented
            | rustls::Error::UnsupportedNameType
            // What the verifiers of some operating systems say when they can't decide.
            | rustls::Error::General(_)
            | rustls::Error::Other(_)
    )
}
