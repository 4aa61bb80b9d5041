//! Device login (RFC 8628), for command-line applications on a machine without a browser.

use std::fmt;
use std::time::Duration;

use http::Method;
use serde::Deserialize;

use super::outcome::{Flow, LoginReply, NotSignedIn, settle, submit};
use crate::client::{Caller, Client};
use crate::credentials::{HasClientId, Identity};
use crate::error::{Error, ErrorCode, ErrorKind};
use crate::id::VerificationUri;
use crate::model::{AuthenticationResponse, RequestContext};
use crate::rejected::Rejected;
use crate::runtime::seconds;
use crate::sealed::Internal;
use crate::secret::DeviceCode;
use crate::transport::{self, Body, Call, Failure, RequestKind};
use crate::wire::{self, DeviceAuthorizationBody, DeviceCodeBody, TokenRequest, WithContext};

/// # Signing users in on another device: needs a client ID
impl<K> Client<K> {
    /// Starts a login that the user finishes on another device (RFC 8628).
    ///
    /// ```no_run
    /// # async fn run(client: workos_auth::PublicClient) -> Result<(), workos_auth::Error> {
    /// let login = client.device_authorization().send().await?;
    /// println!("Open {} and type {}", login.verification_uri(), login.user_code());
    /// let response = login.wait().await?;
    /// # Ok(()) }
    /// ```
    pub fn device_authorization(&self) -> DeviceAuthorizationRequest<K>
    where
        K: HasClientId,
    {
        DeviceAuthorizationRequest::new(Caller::new(self))
    }
}

/// The interval if the reply has none (RFC 8628 §3.2).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// The time that `slow_down` adds to the interval (RFC 8628 §3.5).
const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);

/// The request for a device login; made by [`Client::device_authorization`](crate::Client::device_authorization).
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct DeviceAuthorizationRequest<K> {
    caller: Caller<K>,
    context: RequestContext,
}

#[derive(Deserialize)]
struct DeviceAuthorization {
    device_code: DeviceCode,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: f64,
    interval: Option<f64>,
}

impl<K> DeviceAuthorizationRequest<K> {
    pub(crate) fn new(caller: Caller<K>) -> Self {
        Self { caller, context: RequestContext::new() }
    }

    /// Where the user's request comes from. Every poll sends it.
    pub fn context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }

    /// Requests a device code and a user code (RFC 8628 §3.1).
    ///
    /// # Errors
    /// The failure of the request; [`ErrorKind::InvalidValue`] naming `verification_uri` when the reply would send the user to a URL
    /// that isn't https.
    pub async fn send(self) -> Result<DeviceLogin<K>, Error> {
        let core = &self.caller.client.core;
        let call = Call {
            method: Method::POST,
            route: wire::AUTHORIZE_DEVICE.into(),
            authorization: None,
            body: wire::body(&DeviceAuthorizationBody { client_id: self.caller.identity().client_id.as_str() })
                .map(Body::Json)?,
            kind: RequestKind::Write,
        };
        let reply = core.send(call).await.map_err(|failure| failure.error)?;
        let reply: DeviceAuthorization = transport::read(reply).map_err(|failure| failure.error)?;
        // The user enters a code and a password there, so it must be safe.
        let verification_uri = VerificationUri::new(reply.verification_uri)?;
        let verification_uri_complete = reply.verification_uri_complete.map(VerificationUri::new).transpose()?;
        let deadline = core.runtime.clock.elapsed() + seconds(reply.expires_in);
        Ok(DeviceLogin(Box::new(Waiting {
            device_code: reply.device_code,
            user_code: reply.user_code,
            verification_uri,
            verification_uri_complete,
            expires_in: seconds(reply.expires_in),
            deadline,
            interval: reply.interval.map_or(DEFAULT_INTERVAL, seconds).max(Duration::from_secs(1)),
            context: self.context,
            caller: self.caller,
        })))
    }
}

/// A login that waits until the user has entered its code on another device (RFC 8628 §3.3).
///
/// Show [`user_code`](Self::user_code) and [`verification_uri`](Self::verification_uri), then [`wait`](Self::wait).
#[must_use = "the login ends when it is dropped: show its code, then call `wait().await`"]
pub struct DeviceLogin<K>(Box<Waiting<K>>);

/// What a device login keeps. It is boxed, so that a `Result` with [`NotFinished`] is small.
struct Waiting<K> {
    caller: Caller<K>,
    device_code: DeviceCode,
    user_code: String,
    verification_uri: VerificationUri,
    verification_uri_complete: Option<VerificationUri>,
    expires_in: Duration,
    /// In the time of `Clock::elapsed`.
    deadline: Duration,
    interval: Duration,
    context: RequestContext,
}

/// Why the user of a [`DeviceLogin`] isn't signed in after a poll.
#[must_use = "the login goes on only if `Pending` is polled again"]
pub enum NotFinished<K> {
    /// The user hasn't finished: poll again after the [`interval`](DeviceLogin::interval).
    Pending(DeviceLogin<K>),
    /// The login needs a further step, or the poll failed.
    NotSignedIn(NotSignedIn<DeviceLogin<K>>),
}

impl<K> NotFinished<K> {
    /// Why the user isn't signed in.
    #[must_use]
    pub fn error(&self) -> Error {
        match self {
            Self::Pending(_) => Error::unfinished(ErrorCode::AuthorizationPending),
            Self::NotSignedIn(not_signed_in) => not_signed_in.error(),
        }
    }
}

impl<K> From<NotFinished<K>> for Error {
    fn from(not_finished: NotFinished<K>) -> Self {
        not_finished.error()
    }
}

impl<K> std::error::Error for NotFinished<K> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Pending(_) => None,
            Self::NotSignedIn(not_signed_in) => not_signed_in.source(),
        }
    }
}

impl<K> fmt::Display for NotFinished<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(formatter)
    }
}

impl<K> fmt::Debug for NotFinished<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending(login) => formatter.debug_tuple("Pending").field(login).finish(),
            Self::NotSignedIn(not_signed_in) => not_signed_in.fmt(formatter),
        }
    }
}

impl<K> DeviceLogin<K> {
    /// The code that the user enters.
    #[must_use]
    pub fn user_code(&self) -> &str {
        &self.0.user_code
    }

    /// The URL where the user enters the code.
    #[must_use]
    pub fn verification_uri(&self) -> &VerificationUri {
        &self.0.verification_uri
    }

    /// The URL that includes the code, for a QR code or a browser (RFC 8628 §3.3.1).
    #[must_use]
    pub fn verification_uri_complete(&self) -> Option<&VerificationUri> {
        self.0.verification_uri_complete.as_ref()
    }

    /// The lifetime of the code, from when it was created.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.0.expires_in
    }

    /// How long to wait before the next poll.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.0.interval
    }

    /// Polls until the user has finished, the code has expired, or the login was denied.
    ///
    /// The interval grows by 5 s after `slow_down`, and doubles after a lost reply (RFC 8628 §3.5). Nothing is sent after the code has
    /// expired, or after the future was dropped.
    ///
    /// # Errors
    /// [`NotSignedIn`]: a further step, or a rejection. A rejection doesn't return the login after
    /// [`AccessDenied`](ErrorCode::AccessDenied), [`ExpiredToken`](ErrorCode::ExpiredToken), [`ErrorKind::DeviceLoginExpired`], or
    /// another final refusal. It returns the login when no secure connection could be made: [`ErrorKind::Certificate`] or
    /// [`ErrorKind::Tls`].
    pub async fn wait(self) -> Result<AuthenticationResponse, NotSignedIn<Self>> {
        let mut login = self;
        loop {
            let mut pause = Duration::ZERO;
            login = match login.poll().await {
                Ok(response) => return Ok(response),
                Err(NotFinished::Pending(login)) => login,
                Err(NotFinished::NotSignedIn(NotSignedIn::Rejected(rejected))) => {
                    let (error, login) = rejected.into_parts();
                    pause = error.retry_after().unwrap_or_default();
                    match login {
                        Some(login) if error.is_transient() => login,
                        login => return Err(NotSignedIn::Rejected(Rejected::new(error, login))),
                    }
                }
                Err(NotFinished::NotSignedIn(step)) => return Err(step),
            };
            let clock = &login.0.caller.client.core.runtime.clock;
            let pause = pause.max(login.0.interval);
            if clock.elapsed().saturating_add(pause) >= login.0.deadline {
                return Err(NotSignedIn::Rejected(Rejected::spent(Error::device_login_expired())));
            }
            clock.sleep(pause).await;
        }
    }

    /// Asks once whether the user has finished (RFC 8628 §3.4), for applications that poll themselves.
    ///
    /// # Errors
    /// [`NotFinished::Pending`] while the user hasn't finished. [`NotSignedIn`] returns the login if it can be polled again, which it
    /// can't after it was denied or has expired.
    pub async fn poll(mut self) -> Result<AuthenticationResponse, NotFinished<K>> {
        if self.0.caller.client.core.runtime.clock.elapsed() >= self.0.deadline {
            let expired = Rejected::spent(Error::device_login_expired());
            return Err(NotFinished::NotSignedIn(NotSignedIn::Rejected(expired)));
        }
        let answer = self.ask().await;
        if let Err(Failure { error, .. }) = &answer {
            match error.code() {
                Some(ErrorCode::AuthorizationPending) => return Err(NotFinished::Pending(self)),
                Some(ErrorCode::SlowDown) => {
                    self.0.interval = self.0.interval.saturating_add(SLOW_DOWN_STEP);
                    return Err(NotFinished::Pending(self));
                }
                _ => {}
            }
            if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Interrupted) {
                self.0.interval = self.0.interval.saturating_mul(2);
            }
        }
        settle(answer, self).map_err(NotFinished::NotSignedIn)
    }

    async fn ask(&self) -> Result<LoginReply, Failure> {
        let body = DeviceCodeBody { device_code: wire::text(&self.0.device_code) };
        let body = WithContext { body, context: self.0.context.body() };
        // The device code is the credential, so the client secret isn't sent.
        let identity = Identity { api_key: None, ..self.0.caller.identity() };
        let request = TokenRequest::new("urn:ietf:params:oauth:grant-type:device_code", identity, body);
        submit(&self.0.caller, &request, RequestKind::DevicePoll).await
    }
}

impl<K> Flow for DeviceLogin<K> {
    type Credentials = K;

    fn caller(&self, _: Internal) -> &Caller<K> {
        &self.0.caller
    }
}

impl<K> fmt::Debug for DeviceAuthorizationRequest<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DeviceAuthorizationRequest").field("context", &self.context).finish_non_exhaustive()
    }
}

impl<K> fmt::Debug for DeviceLogin<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DeviceLogin").field("interval", &self.0.interval).finish_non_exhaustive()
    }
}
