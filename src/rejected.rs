//! [`Rejected`]: a failed call, and the value it consumed.

use std::error::Error as StdError;
use std::fmt;

use crate::error::Error;

/// A call that failed, with the value it consumed if that can be used again.
///
/// `?` turns it into an [`Error`]; [`recover`](Self::recover) returns the value for another try:
///
/// ```
/// use workos_auth::{Callback, PublicClient, RedirectUri};
///
/// let client = PublicClient::new("client_123")?;
/// let session = client.authorize(RedirectUri::new("https://example.com/callback")?).authkit().begin()?;
/// let forged = Callback::from_url("/callback?code=01E2&state=guessed")?;
/// let session = match session.exchange(forged) {
///     Ok(_) => panic!("the state was guessed"),
///     // The login goes on: the real callback may still arrive.
///     Err(rejected) => rejected.recover()?,
/// };
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub struct Rejected<F>(Box<Rejection<F>>);

struct Rejection<F> {
    error: Error,
    flow: Option<F>,
}

impl<F> Rejected<F> {
    pub(crate) fn new(error: Error, flow: Option<F>) -> Self {
        Self(Box::new(Rejection { error, flow }))
    }

    pub(crate) fn returning(error: Error, flow: F) -> Self {
        Self::new(error, Some(flow))
    }

    pub(crate) fn spent(error: Error) -> Self {
        Self::new(error, None)
    }

    pub(crate) fn map<G>(self, wrap: impl FnOnce(F) -> G) -> Rejected<G> {
        let (error, flow) = self.into_parts();
        Rejected::new(error, flow.map(wrap))
    }

    /// The value that was consumed, for another try.
    ///
    /// # Errors
    /// The error, if the value was used up.
    pub fn recover(self) -> Result<F, Error> {
        let (error, flow) = self.into_parts();
        flow.ok_or(error)
    }

    /// Why the call failed.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// The error, and the value unless it was used up.
    #[must_use]
    pub fn into_parts(self) -> (Error, Option<F>) {
        (self.0.error, self.0.flow)
    }
}

impl<F> From<Rejected<F>> for Error {
    fn from(rejected: Rejected<F>) -> Self {
        rejected.0.error
    }
}

impl<F> fmt::Debug for Rejected<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rejected")
            .field("error", &self.0.error)
            .field("recoverable", &self.0.flow.is_some())
            .finish()
    }
}

impl<F> fmt::Display for Rejected<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.error.fmt(formatter)
    }
}

impl<F> StdError for Rejected<F> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.error.source()
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use crate::credentials::{Confidential, Public};
    use crate::handlers::{NotLoggedOut, NotSwitched};
    use crate::login::{CodeExchange, DeviceLogin, NotFinished, NotSignedIn, PasswordGrant, PkceSession};
    use crate::session::{NotActive, RefreshError, SwitchError};
    use crate::token::NotVerified;
    use crate::{Error, Rejected};

    /// Clippy's `result_large_err` speaks up in applications from 128 bytes on.
    #[test]
    fn errors_are_small_enough_for_clippy_in_applications() {
        macro_rules! sizes {
            ($($error:ty),* $(,)?) => { [$((size_of::<$error>(), stringify!($error))),*] };
        }
        let sizes = sizes![
            Error,
            Rejected<PkceSession<Confidential>>,
            NotSignedIn<CodeExchange<Confidential>>,
            NotSignedIn<PasswordGrant<Confidential>>,
            NotSignedIn<DeviceLogin<Public>>,
            NotFinished<Public>,
            NotVerified,
            NotActive<Confidential>,
            RefreshError<Confidential>,
            SwitchError,
            NotSwitched,
            NotLoggedOut,
        ];
        for (size, error) in sizes {
            assert!(size < 128, "{error} has {size} bytes");
        }
    }
}
