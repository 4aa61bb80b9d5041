//! Logins that last beyond a request or a restart: sealed strings, stores, and a login cookie.

#[cfg(feature = "server")]
mod cookie;
#[cfg(feature = "files")]
mod directory;
#[cfg(feature = "keyring")]
pub(crate) mod keyring;
mod store;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

#[cfg(feature = "server")]
pub use cookie::LoginCookies;
#[cfg(feature = "files")]
pub use directory::DirectoryPkceStore;
#[cfg(feature = "keyring")]
pub use keyring::KeyringPkceStore;
pub use store::{LoginHandle, MemoryPkceStore, PkceStore, StoredLogin};

use super::pkce::PkceSession;
use crate::client::{Caller, Client};
use crate::credentials::{HasClientId, IsConfidential};
use crate::envelope::{self, Purpose};
use crate::error::{Error, ParkedError};
use crate::id::RedirectUri;
use crate::rejected::Rejected;
use crate::sealed::INTERNAL;
use crate::secret::CookiePassword;
use crate::wire;

/// How long a parked login is valid, unless the application sets another duration.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

/// Seals logins that wait for their user, so that another process of the same application can resume them.
///
/// The sealed string may be kept anywhere: it can't be read or changed without the password, and it expires. It is bound to the
/// client ID, the base URL and, for a login in the browser, the redirect URI. It can be resumed many times until it expires: that a
/// login is used once only is ensured by the API (for the code and the pending token) or by a [`PkceStore`].
///
/// ```
/// use workos_auth::parking::Parking;
/// use workos_auth::{ConfidentialClient, CookiePassword, PkceSession, RedirectUri, ReturnPath};
///
/// let client = ConfidentialClient::new("client_123", "sk_example")?;
/// let parking = Parking::new(CookiePassword::new("a-random-password-of-32-characters")?);
/// let redirect = RedirectUri::new("https://example.com/callback")?;
///
/// let session = client.authorize(redirect.clone()).authkit().return_path(ReturnPath::new("/inbox")?).begin()?;
/// let sealed = parking.park(session)?;
///
/// // In another process:
/// let session = parking.resume_login(&client, &redirect, &sealed)?;
/// assert_eq!(session.return_path().map(ReturnPath::as_str), Some("/inbox"));
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub struct Parking {
    password: CookiePassword,
    retired: Vec<CookiePassword>,
    lifetime: Duration,
}

impl Parking {
    /// Seals with this password. Each sealed login is valid for ten minutes.
    #[must_use]
    pub fn new(password: CookiePassword) -> Self {
        Self { password, retired: Vec::new(), lifetime: DEFAULT_LIFETIME }
    }

    /// An older password, which still opens what it sealed. It is kept for opening only.
    #[must_use]
    pub fn retired_password(mut self, password: CookiePassword) -> Self {
        self.retired.push(password);
        self
    }

    /// How long a parked login is valid; ten minutes unless given.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Seals a login or a step.
    ///
    /// # Errors
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness); the value is returned.
    pub fn park<F>(&self, flow: F) -> Result<String, Rejected<F>>
    where
        F: Parkable,
    {
        seal(&flow, wire::text(&self.password), self.lifetime).map_err(|error| Rejected::returning(error, flow))
    }

    /// Resumes a login in the browser, for the handler of its callback.
    ///
    /// # Errors
    /// [`ErrorKind::Parked`](crate::ErrorKind::Parked) with the reason. Nothing is sent.
    pub fn resume_login<K>(
        &self,
        client: &Client<K>,
        redirect_uri: &RedirectUri,
        sealed: &str,
    ) -> Result<PkceSession<K>, Error>
    where
        K: HasClientId,
        PkceSession<K>: Parkable<Credentials = K>,
    {
        open(client, Some(redirect_uri), &self.passwords(), sealed)
    }

    /// Resumes a step.
    ///
    /// # Errors
    /// As [`resume_login`](Self::resume_login).
    pub fn resume_step<K, F>(&self, client: &Client<K>, sealed: &str) -> Result<F, Error>
    where
        K: IsConfidential,
        F: ParkableStep<Credentials = K>,
    {
        open(client, None, &self.passwords(), sealed)
    }

    pub(crate) fn passwords(&self) -> Vec<&str> {
        std::iter::once(&self.password).chain(&self.retired).map(wire::text).collect()
    }
}

impl fmt::Debug for Parking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Parking").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

/// A login or step that [`Parking`] can seal, which is one of a client with an API key. Sealed.
#[diagnostic::on_unimplemented(
    message = "`Parking` and `LoginCookies` can't seal `{Self}`",
    label = "needs a login or a step of a `ConfidentialClient`",
    note = "on a user's device, a login waits in a `PkceStore`: `session.store(&store).await?`, then `client.resume_login(&store, …).await?`",
    note = "on a server, begin the login with a `ConfidentialClient`, which holds an API key"
)]
pub trait Parkable: sealed::Sealed {}

/// A step that [`Parking`] can seal. Sealed.
pub trait ParkableStep: Parkable {}

pub(crate) mod sealed {
    use serde_json::Value;

    use crate::client::Caller;
    use crate::id::RedirectUri;
    use crate::sealed::Internal;

    /// The contents of a login or step: its secrets, and the rest.
    #[allow(missing_debug_implementations, reason = "it holds exposed secrets")]
    pub struct Packed<'a> {
        pub(crate) secrets: Vec<&'a str>,
        pub(crate) details: Value,
    }

    pub trait Sealed: Sized {
        type Credentials;
        const KIND: &'static str;

        fn caller(&self, _: Internal) -> &Caller<Self::Credentials>;
        fn redirect_uri(&self, _: Internal) -> Option<&RedirectUri> {
            None
        }
        fn pack(&self, _: Internal) -> Packed<'_>;
        fn unpack(caller: Caller<Self::Credentials>, secrets: &[&str], details: Value, _: Internal) -> Option<Self>;
    }
}

use sealed::Sealed as Park;

#[derive(Serialize)]
struct ParkedValue<'a> {
    kind: &'a str,
    expires: i64,
    client_id: &'a str,
    base_url: &'a str,
    redirect_uri: Option<&'a str>,
    secrets: &'a [&'a str],
    details: &'a Value,
}

#[derive(Deserialize)]
struct OpenedValue {
    kind: String,
    expires: i64,
    client_id: String,
    base_url: String,
    redirect_uri: Option<String>,
    secrets: Vec<Zeroizing<String>>,
    details: Value,
}

fn seal<F: Park>(flow: &F, password: &str, lifetime: Duration) -> Result<String, Error> {
    let caller = flow.caller(INTERNAL);
    let core = &caller.client.core;
    let packed = flow.pack(INTERNAL);
    let expires = core.runtime.clock.now().checked_add(lifetime).unwrap_or(jiff::Timestamp::MAX);
    let envelope = ParkedValue {
        kind: F::KIND,
        expires: expires.as_second(),
        client_id: caller.identity().client_id.as_str(),
        base_url: core.base_url.as_str(),
        redirect_uri: flow.redirect_uri(INTERNAL).map(RedirectUri::as_str),
        secrets: &packed.secrets,
        details: &packed.details,
    };
    envelope::seal(Purpose::ParkedLogin, password, "", &wire::body(&envelope)?, core.runtime.random.as_ref())
}

pub(crate) fn open<K: HasClientId, F: Park<Credentials = K>>(
    client: &Client<K>,
    redirect_uri: Option<&RedirectUri>,
    passwords: &[&str],
    sealed: &str,
) -> Result<F, Error> {
    let mut opened = passwords.iter().map(|password| envelope::open(Purpose::ParkedLogin, password, "", sealed));
    let text = opened
        .find(|opened| !matches!(opened, Err(ParkedError::WrongPassword)))
        .unwrap_or(Err(ParkedError::WrongPassword))
        .map_err(Error::parked)?;
    let envelope: OpenedValue = serde_json::from_slice(&text).map_err(|_| Error::parked(ParkedError::Malformed))?;
    let problem = if envelope.kind != F::KIND {
        Some(ParkedError::WrongKind)
    } else if envelope.client_id != client.client_id().as_str() {
        Some(ParkedError::WrongClient)
    } else if envelope.base_url != client.base_url() {
        Some(ParkedError::WrongBaseUrl)
    } else if envelope.redirect_uri.as_deref() != redirect_uri.map(RedirectUri::as_str) {
        Some(ParkedError::WrongRedirectUri)
    } else if client.core.runtime.clock.now().as_second() >= envelope.expires {
        Some(ParkedError::Expired)
    } else {
        None
    };
    if let Some(problem) = problem {
        return Err(Error::parked(problem));
    }
    let secrets: Vec<&str> = envelope.secrets.iter().map(|secret| secret.as_str()).collect();
    F::unpack(Caller::new(client), &secrets, envelope.details, INTERNAL)
        .ok_or_else(|| Error::parked(ParkedError::Malformed))
}

/// One detail of a parked value.
pub(crate) fn field<T: serde::de::DeserializeOwned>(details: &Value, name: &str) -> Option<T> {
    serde_json::from_value(details.get(name)?.clone()).ok()
}
