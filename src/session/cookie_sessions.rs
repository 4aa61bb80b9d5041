//! Sessions that live in their sealed cookie alone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::timeout;
use url::Url;

use super::manager::{AHEAD, HASTE, sign_out_everywhere};
use super::state::{
    ActiveSession, Need, SessionState, SignedOut, Stop, SwitchError, active, fresh, goodbye, left, need,
};
use super::{RefreshError, Session, SessionCookie, SessionParts};
use crate::authenticate::Rejected;
use crate::client::ConfidentialClient;
use crate::cookies::SetCookie;
use crate::credentials::Confidential;
use crate::error::Error;
use crate::id::{OrganizationId, RedirectUri, UserId};
use crate::token::TokenVerifier;

/// Keeps each session in the sealed [`SessionCookie`] of its user's browser, and nowhere else.
///
/// It needs no store, and pays for that. Copies of a cookie can't be revoked: whoever has one has the session until WorkOS
/// ends it, and signing out clears this browser's alone. Refreshes are single-flight within a process only; between processes
/// there is nothing but the 30 seconds in which WorkOS answers a replayed refresh with the same tokens, so a browser that
/// misses the answer to a refresh for longer must sign in again. Where that matters, take a
/// [`SessionManager`](super::SessionManager).
///
/// Each call gives a cookie to set, if there is one, in every outcome: the old one's refresh token is used up.
///
/// ```
/// use workos_auth::{ConfidentialClient, CookiePassword, CookieSessions, SessionCookie, SessionState};
///
/// # async fn run(request: http::request::Parts) -> Result<(), workos_auth::Error> {
/// let client = ConfidentialClient::new("client_123", "sk_example")?;
/// let cookie = SessionCookie::new(CookiePassword::new("a-random-password-of-32-characters")?)?.host_prefix();
/// let sessions = CookieSessions::new(client, cookie);
///
/// let cookie = sessions.cookie_value(&request.headers).unwrap_or_default();
/// let (state, set_cookie) = sessions.authenticate(cookie).await;
/// if let SessionState::Active(session) = state {
///     println!("hello, {}", session.user().email);
/// }
/// if let Some(cookie) = set_cookie {
///     println!("Set-Cookie: {cookie}");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CookieSessions {
    client: ConfidentialClient,
    verifier: TokenVerifier,
    cookie: Arc<SessionCookie>,
    refresh_ahead: Duration,
}

impl CookieSessions {
    /// Keeps sessions in this cookie.
    #[must_use]
    pub fn new(client: ConfidentialClient, cookie: SessionCookie) -> Self {
        let verifier = client.verifier();
        Self { client, verifier, cookie: Arc::new(cookie), refresh_ahead: AHEAD }
    }

    /// Another verifier, such as one with an issuer of the application's own, or one that
    /// [remembers](TokenVerifier::remember) the tokens that come with every request.
    #[must_use]
    pub fn verifier(mut self, verifier: TokenVerifier) -> Self {
        self.verifier = verifier;
        self
    }

    /// How long before its expiry an access token is replaced; 30 seconds unless given.
    #[must_use]
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.refresh_ahead = ahead;
        self
    }

    /// The same sessions, in a cookie that suits where the application is served.
    pub(super) fn served_at(mut self, redirect_uri: &RedirectUri) -> Self {
        self.cookie = Arc::new(Arc::unwrap_or_clone(self.cookie).served_at(redirect_uri));
        self
    }

    /// The name of the cookie.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        self.cookie.cookie_name()
    }

    /// The value of the cookie in a request; as [`SessionCookie::value`].
    #[must_use]
    pub fn cookie_value<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        self.cookie.value(headers)
    }

    /// The cookie of a new session.
    ///
    /// # Errors
    /// As [`SessionCookie::set`]; the session comes back.
    pub fn sign_in(&self, parts: impl Into<SessionParts>) -> Result<SetCookie, Rejected<SessionParts>> {
        let session = self.client.session(parts);
        self.cookie.set(&session).map_err(|error| Rejected::returning(error, session.into_parts()))
    }

    /// Says whether a cookie's user is signed in, and refreshes the session when its access token is at its end. The cookie, if
    /// there is one, is to be set whatever the state is.
    pub async fn authenticate(&self, sealed: &str) -> (SessionState, Option<SetCookie>) {
        let session = match self.open(sealed) {
            Ok(session) => session,
            Err(stop) => return self.finish(Err(stop), None),
        };
        let now = self.client.core.runtime.clock.now();
        match need(&session, &self.verifier, now, self.refresh_ahead).await {
            Ok(Need::Nothing(token)) => self.finish(Ok(active(session, token)), None),
            Ok(Need::RefreshSoon(token)) => {
                // Its token is good still, and nobody waits for another for longer than it is.
                match timeout(HASTE.min(left(&token, now)), session.copy().refresh()).await {
                    Err(_) | Ok(Err(RefreshError::Kept(_))) => self.finish(Ok(active(session, token)), None),
                    Ok(refreshed) => self.renewed(refreshed).await,
                }
            }
            Ok(Need::Refresh) => {
                let refreshed = session.refresh().await;
                self.renewed(refreshed).await
            }
            Err(stop) => self.finish(Err(stop), None),
        }
    }

    /// Exchanges a session's tokens for those of another organization of its user. The cookie, if there is one, is to be set
    /// in every case.
    pub async fn switch_organization(
        &self,
        sealed: &str,
        id: OrganizationId,
    ) -> (Result<ActiveSession, SwitchError>, Option<SetCookie>) {
        let (state, cookie) = match self.open(sealed) {
            Ok(session) => {
                let switched = session.switch_organization(id).await;
                self.renewed(switched).await
            }
            Err(stop) => self.finish(Err(stop), None),
        };
        let outcome = match state {
            SessionState::Active(session) => Ok(session),
            SessionState::SignedOut(why) => Err(SwitchError::SignedOut(why)),
            SessionState::TemporarilyUnknown(error) => Err(SwitchError::Kept(error)),
        };
        (outcome, cookie)
    }

    /// The cookie that clears the session's, and the URL that ends it at WorkOS, from where the browser goes back to
    /// `return_to`. The URL is absent when there is no session, or nobody can tell its name at WorkOS at the moment.
    pub async fn sign_out(&self, sealed: &str, return_to: Option<&RedirectUri>) -> (Option<Url>, SetCookie) {
        let url = match self.open(sealed) {
            // The cookie is cleared whether or not the keys can be had.
            Ok(session) => timeout(HASTE, goodbye(session, &self.verifier, return_to)).await.ok().flatten(),
            Err(_) => None,
        };
        (url, self.cookie.clear())
    }

    /// Ends all sessions of a user at WorkOS, and says how many. Each cookie is good until its access token expires.
    ///
    /// # Errors
    /// [`Error`]; some may have been ended. Call it again.
    pub async fn sign_out_everywhere(&self, user_id: &UserId) -> Result<usize, Error> {
        sign_out_everywhere(&self.client, user_id).await
    }

    fn open(&self, sealed: &str) -> Result<Session<Confidential>, Stop> {
        if sealed.is_empty() {
            return Err(Stop::SignedOut(SignedOut::NotFound));
        }
        self.cookie.open(&self.client, sealed).map_err(|error| Stop::SignedOut(SignedOut::Unreadable(error)))
    }

    /// A new pair goes into a cookie before anything else is asked of it.
    async fn renewed(
        &self,
        refreshed: Result<Session<Confidential>, RefreshError<Confidential>>,
    ) -> (SessionState, Option<SetCookie>) {
        match refreshed {
            Ok(session) => match self.cookie.set(&session) {
                Ok(cookie) => self.finish(fresh(session, &self.verifier).await, Some(cookie)),
                Err(error) => self.finish(Err(Stop::Unknown(error)), None),
            },
            Err(error) => self.finish(Err(error.into()), None),
        }
    }

    fn finish(
        &self,
        outcome: Result<ActiveSession, Stop>,
        cookie: Option<SetCookie>,
    ) -> (SessionState, Option<SetCookie>) {
        let over = matches!(outcome, Err(Stop::SignedOut(_)));
        (outcome.into(), if over { Some(self.cookie.clear()) } else { cookie })
    }
}

impl fmt::Debug for CookieSessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CookieSessions").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}
