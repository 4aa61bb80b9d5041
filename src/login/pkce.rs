//! A login in the browser, from its beginning to the exchange of its code.

use std::fmt;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::code::CodeExchange;
use super::parking::sealed::{Packed, Sealed as Park};
use super::parking::{self, Parkable};
use crate::client::Caller;
use crate::credentials::IsConfidential;
use crate::error::{AuthorizationErrorCode, CallbackError, Error, plain_code};
use crate::id::{RedirectUri, ReturnPath};
use crate::rejected::Rejected;
use crate::sealed::Internal;
use crate::secret::{AuthorizationCode, AuthorizationUrl, CodeVerifier, State};
use crate::wire::{self, Parameters};

/// A login that waits for its callback, with PKCE (RFC 7636) and a state (RFC 6749 §10.12).
///
/// Send the browser to [`url`](Self::url), and give the callback to [`exchange`](Self::exchange). It consumes the session, so that a
/// login is exchanged once only.
///
/// ```
/// # async fn run(client: workos_auth::PublicClient, callback_url: &str) -> Result<(), workos_auth::Error> {
/// use workos_auth::{Callback, RedirectUri};
///
/// let session = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// println!("Open {}", session.url().as_str());
/// // The browser comes back:
/// let response = session.exchange(Callback::from_url(callback_url)?)?.send().await?;
/// # Ok(()) }
/// ```
#[must_use = "the login ends when its session is dropped: send the browser to `url()`, then call `exchange(callback)`"]
pub struct PkceSession<K> {
    pub(crate) login: Login<K>,
    pub(crate) verifier: CodeVerifier,
}

/// A login that waits for its callback, without PKCE; for confidential clients only.
#[must_use = "the login ends when its session is dropped: send the browser to `url()`, then call `exchange(callback)`"]
pub struct PlainSession<K> {
    login: Login<K>,
}

pub(crate) struct Login<K> {
    pub(crate) caller: Caller<K>,
    pub(crate) url: AuthorizationUrl,
    pub(crate) state: State,
    pub(crate) redirect_uri: RedirectUri,
    pub(crate) return_path: Option<ReturnPath>,
}

impl<K> Login<K> {
    fn begin(
        caller: Caller<K>,
        redirect_uri: RedirectUri,
        state: State,
        verifier: Option<&CodeVerifier>,
        parameters: Parameters,
    ) -> Self {
        let base_url = &caller.client.core.base_url;
        let client_id = caller.identity().client_id;
        let url = wire::authorization_url(base_url, client_id, &redirect_uri, &state, verifier, &parameters);
        Self { caller, url, state, redirect_uri, return_path: parameters.return_path }
    }
}

impl<K> PkceSession<K> {
    pub(crate) fn begin(caller: Caller<K>, redirect_uri: RedirectUri, parameters: Parameters) -> Result<Self, Error> {
        let (verifier, state) = wire::random_login(caller.client.core.runtime.random.as_ref())?;
        Ok(Self { login: Login::begin(caller, redirect_uri, state, Some(&verifier), parameters), verifier })
    }

    /// The URL to which the browser is sent.
    #[must_use]
    pub fn url(&self) -> &AuthorizationUrl {
        &self.login.url
    }

    /// Where the user goes after the login, as set when the login began.
    #[must_use]
    pub fn return_path(&self) -> Option<&ReturnPath> {
        self.login.return_path.as_ref()
    }

    /// Checks the callback's state in constant time, and makes an exchange of the code and the verifier. Nothing is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Callback`](crate::ErrorKind::Callback). The session is always returned, so that a forged callback doesn't end the
    /// login: [`Rejected::recover`] it and wait for the real callback.
    pub fn exchange(self, callback: Callback) -> Result<CodeExchange<K>, Rejected<Self>> {
        match callback.code_for(&self.login.state) {
            Ok(code) => Ok(CodeExchange::with_verifier(self.login.caller, code, self.verifier)),
            Err(rejected) => Err(Rejected::returning(rejected.into(), self)),
        }
    }
}

impl<K> PlainSession<K> {
    pub(crate) fn begin(caller: Caller<K>, redirect_uri: RedirectUri, parameters: Parameters) -> Result<Self, Error> {
        let state = wire::random_state(caller.client.core.runtime.random.as_ref())?;
        Ok(Self { login: Login::begin(caller, redirect_uri, state, None, parameters) })
    }

    /// The URL to which the browser is sent.
    #[must_use]
    pub fn url(&self) -> &AuthorizationUrl {
        &self.login.url
    }

    /// Where the user goes after the login, as set when the login began.
    #[must_use]
    pub fn return_path(&self) -> Option<&ReturnPath> {
        self.login.return_path.as_ref()
    }

    /// Checks the callback's state in constant time, and makes an exchange of the code. Nothing is sent.
    ///
    /// # Errors
    /// As [`PkceSession::exchange`].
    pub fn exchange(self, callback: Callback) -> Result<CodeExchange<K>, Rejected<Self>> {
        match callback.code_for(&self.login.state) {
            Ok(code) => Ok(CodeExchange::new(self.login.caller, code)),
            Err(rejected) => Err(Rejected::returning(rejected.into(), self)),
        }
    }
}

impl<K> fmt::Debug for PkceSession<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PkceSession").finish_non_exhaustive()
    }
}

impl<K> fmt::Debug for PlainSession<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PlainSession").finish_non_exhaustive()
    }
}

/// The callback of a login: a code or an error, and the state that ties it to the login (RFC 6749 §4.1.2).
///
/// Anybody can send a callback, so it is untrusted until a session has checked its state.
///
/// ```
/// use workos_auth::{Callback, PublicClient, RedirectUri};
///
/// let client = PublicClient::new("client_123")?;
/// let session = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
///
/// let forged = Callback::from_query("code=01E2&state=guessed")?;
/// let rejected = session.exchange(forged).expect_err("the state is wrong");
/// // The login goes on, and the true callback may still come.
/// let session = rejected.recover()?;
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub struct Callback {
    result: Result<AuthorizationCode, AuthorizationErrorCode>,
    state: Option<State>,
}

impl Callback {
    /// Parses the URL of the callback, or its path and query.
    ///
    /// ```
    /// use workos_auth::Callback;
    ///
    /// let callback = Callback::from_url("https://example.com/callback?code=01E2&state=abc")?;
    /// let callback = Callback::from_url("/callback?code=01E2&state=abc")?;
    /// assert!(Callback::from_url("/callback?code=01E2&code=01E3&state=abc").is_err());
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Callback`](crate::ErrorKind::Callback): it is malformed, a parameter is given twice, or it has no code and no
    /// error, or both. A missing state or an `error` is accepted here; a session checks them.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let url = url.split_once('#').map_or(url, |(url, _fragment)| url);
        match url.split_once('?') {
            Some((_, query)) => Self::from_query(query),
            None => Err(Error::callback(CallbackError::Malformed)),
        }
    }

    /// Parses a query string, with or without its `?`.
    ///
    /// # Errors
    /// As [`from_url`](Self::from_url).
    pub fn from_query(query: &str) -> Result<Self, Error> {
        let (mut code, mut error, mut state) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.strip_prefix('?').unwrap_or(query).as_bytes()) {
            let (name, slot) = match name.as_ref() {
                "code" => ("code", &mut code),
                "error" => ("error", &mut error),
                "state" => ("state", &mut state),
                _ => continue,
            };
            if slot.replace(Zeroizing::new(value.into_owned())).is_some() {
                return Err(Error::callback(CallbackError::DuplicateParameter(name)));
            }
        }
        let result = match (code, error) {
            (Some(_), Some(_)) => return Err(Error::callback(CallbackError::CodeAndError)),
            (Some(code), None) if !code.is_empty() => Ok(AuthorizationCode::new(code.as_str())),
            (None, Some(error)) => Err(AuthorizationErrorCode::from(plain_code(&error).unwrap_or("unreadable"))),
            _ => return Err(Error::callback(CallbackError::MissingCode)),
        };
        Ok(Self { result, state: state.filter(|state| !state.is_empty()).map(|state| State::new(state.as_str())) })
    }

    /// Makes a callback of values that a web framework has already parsed.
    #[must_use]
    pub fn from_parts(code: impl Into<String>, state: Option<State>) -> Self {
        let state = state.filter(|state| !wire::text(state).is_empty());
        Self { result: Ok(AuthorizationCode::new(code)), state }
    }

    /// The code, if the callback belongs to the login with this state. The states are compared in constant time.
    ///
    /// This is for applications that build their own authorization URL. A [`PkceSession`] checks the state in
    /// [`exchange`](PkceSession::exchange).
    ///
    /// # Errors
    /// [`ErrorKind::Callback`](crate::ErrorKind::Callback). The callback is always returned: it may belong to another login.
    pub fn code_for(self, state: &State) -> Result<AuthorizationCode, Rejected<Self>> {
        // The state is checked first: an error that somebody else sent says nothing about this login.
        let problem = match &self.state {
            None => CallbackError::MissingState,
            // Of an application that has lost the state, or began no login.
            Some(_) if wire::text(state).is_empty() => CallbackError::MissingState,
            Some(given) if !given.matches(state) => CallbackError::StateMismatch,
            Some(_) => match self.result {
                Ok(ref code) if wire::text(code).is_empty() => CallbackError::MissingCode,
                Ok(code) => return Ok(code),
                Err(ref code) => CallbackError::Authorization(code.clone()),
            },
        };
        Err(Rejected::returning(Error::callback(problem), self))
    }

    /// The code of a callback that no login of this application started: it must have no state.
    pub(crate) fn code_without_state(self) -> Result<AuthorizationCode, Error> {
        match (self.state, self.result) {
            (Some(_), _) => Err(Error::callback(CallbackError::UnexpectedState)),
            (None, Err(code)) => Err(Error::callback(CallbackError::Authorization(code))),
            (None, Ok(code)) if wire::text(&code).is_empty() => Err(Error::callback(CallbackError::MissingCode)),
            (None, Ok(code)) => Ok(code),
        }
    }

    pub(crate) fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Callback").finish_non_exhaustive()
    }
}

#[diagnostic::do_not_recommend]
impl<K: IsConfidential> Parkable for PkceSession<K> {}

impl<K> Park for PkceSession<K> {
    type Credentials = K;
    const KIND: &'static str = "login";

    fn caller(&self, _: Internal) -> &Caller<K> {
        &self.login.caller
    }

    fn redirect_uri(&self, _: Internal) -> Option<&RedirectUri> {
        Some(&self.login.redirect_uri)
    }

    fn pack(&self, _: Internal) -> Packed<'_> {
        Packed {
            // The URL contains the state, and perhaps an invitation token.
            secrets: vec![wire::text(&self.verifier), wire::text(&self.login.state), self.login.url.as_str()],
            details: json!({"redirect_uri": self.login.redirect_uri.as_str(), "return_path": self.login.return_path}),
        }
    }

    fn unpack(caller: Caller<K>, secrets: &[&str], details: Value, _: Internal) -> Option<Self> {
        let [verifier, state, url] = secrets else { return None };
        Some(Self {
            verifier: CodeVerifier::new(*verifier),
            login: Login {
                caller,
                url: AuthorizationUrl::new(*url),
                state: State::new(*state),
                redirect_uri: RedirectUri::new(details.get("redirect_uri")?.as_str()?).ok()?,
                return_path: parking::field::<Option<ReturnPath>>(&details, "return_path")?,
            },
        })
    }
}
