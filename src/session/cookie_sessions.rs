//! Sessions that are kept only in their sealed cookie.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::checks::{Checks, Deadline, Need, time_left};
use super::manager::sign_out_everywhere;
use super::refresh::Want;
use super::refresh_table::UNDELIVERED_KEPT_FOR;
use super::state::{SessionState, SignedIn, SignedOut, Stop, SwitchError};
use super::{RefreshError, Session, SessionCookie, SessionParts};
use crate::client::ConfidentialClient;
use crate::cookies::{Asked, SetCookie};
use crate::credentials::Confidential;
use crate::error::{Error, ErrorKind, SealError};
use crate::id::{LogoutUrl, OrganizationId, RedirectUri, SessionId, UserId};
use crate::model::User;
use crate::rejected::Rejected;
use crate::response::{ForResponse, Outdated, ResponseHeaders};
use crate::token::TokenVerifier;
use crate::wire;

/// Keeps each session in the sealed [`SessionCookie`] of its user's browser, without a store.
///
/// Copies of a cookie can't be revoked: each is good until WorkOS ends the session. A sign-out clears this browser's cookie; only the
/// process that signs out refuses copies after that, for 10 minutes.
///
/// However many requests with one cookie a process gets at the same time, it refreshes once. It keeps the new pair for 10 minutes, for
/// requests that still have the old cookie. Other processes get the same pair from WorkOS only within the 30 seconds in which it
/// replays a refresh. So a browser that loses the response to a refresh, and later reaches another process, must sign in again. If that
/// matters, use a [`SessionManager`](super::SessionManager).
///
/// Each call gives a [`ForResponse`], which puts the session's new cookie into the response: the old refresh token is used up.
///
/// ```
/// use workos_auth::session::CookieSessions;
/// use workos_auth::{ConfidentialClient, CookiePassword, SessionCookie, SessionState};
///
/// # async fn run(request: http::request::Parts) -> Result<http::Response<String>, workos_auth::Error> {
/// let client = ConfidentialClient::new("client_123", "sk_example")?;
/// let cookie = SessionCookie::new(CookiePassword::new("a-random-password-of-32-characters")?)?.host_prefix();
/// let sessions = CookieSessions::new(client, cookie);
///
/// let cookie = sessions.cookie_value(&request.headers).unwrap_or_default();
/// let response = sessions.authenticate(cookie).await.respond(|state| match state {
///     SessionState::Active(signed_in) => http::Response::new(format!("Hello, {}", signed_in.user().email)),
///     SessionState::SignedOut(_) => http::Response::new("Please sign in.".to_owned()),
///     SessionState::TemporarilyUnknown(_) => {
///         http::Response::builder().status(503).body("Please try again.".to_owned()).unwrap_or_default()
///     }
/// });
/// # Ok(response) }
/// ```
#[derive(Clone)]
pub struct CookieSessions {
    client: ConfidentialClient,
    checks: Checks,
    cookie: Arc<SessionCookie>,
}

impl CookieSessions {
    /// Keeps sessions in this cookie.
    #[must_use]
    pub fn new(client: ConfidentialClient, cookie: SessionCookie) -> Self {
        let checks = Checks::new(client.verifier());
        Self { client, checks, cookie: Arc::new(cookie) }
    }

    /// Verifies access tokens with another verifier, such as one with the application's own issuer, or one that
    /// [remembers](TokenVerifier::remember) tokens it has verified.
    #[must_use]
    pub fn verifier(mut self, verifier: TokenVerifier) -> Self {
        self.checks.verifier = verifier;
        self
    }

    /// How long before its expiry an access token is replaced: 30 seconds by default, and never more than a quarter of its lifetime.
    #[must_use]
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.checks.refresh_ahead = ahead;
        self
    }

    /// How long [`authenticate`](Self::authenticate) and [`switch_organization`](Self::switch_organization) take at most; 10
    /// seconds by default. After that the answer is the old session while its token is valid, or
    /// [`TemporarilyUnknown`](SessionState::TemporarilyUnknown). The work goes on, and the next call gets its result.
    #[must_use]
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.checks.answer_within = time;
        self
    }

    /// The same sessions, in a cookie that fits where the application is served.
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
    /// If the cookie would be too large, it is made without the user's metadata, and then without the URL of the picture.
    ///
    /// # Errors
    /// As [`SessionCookie::set`]; the session comes back.
    pub fn sign_in(&self, parts: impl Into<SessionParts>) -> Result<SetCookie, Rejected<SessionParts>> {
        let session = Session::new(&self.client, parts.into());
        self.fit(&session).map_err(|error| Rejected::returning(error, session.parts))
    }

    /// Says whether a cookie's user is signed in, and refreshes the session when its access token is about to expire.
    ///
    /// The request that begins a refresh waits for it, so that the browser gets the new pair; other requests whose token is still valid
    /// don't. A pair that comes too late, or whose response is lost, is kept in this process for 10 minutes, for requests with the old
    /// cookie: the newest 4,096 pairs.
    ///
    /// The cookie of a session that is over is cleared, unless the answer took longer than 250 ms: the browser may have the cookie of a
    /// new login by then. The next answer clears it.
    pub async fn authenticate(&self, sealed: &str) -> ForResponse<SessionState> {
        let asked = Asked::now();
        let (state, cookie) = self.state_of(sealed).await;
        ForResponse::new(state, self.headers(sealed, asked, cookie))
    }

    pub(super) async fn state_of(&self, sealed: &str) -> (SessionState, Option<SetCookie>) {
        let deadline = self.checks.deadline();
        let mut session = match self.open(sealed) {
            Ok(session) => session,
            Err(stop) => return self.finish(Err(stop), None),
        };
        let mut known = session.known();
        if let Some(error) = known.ended {
            // Its access token may be valid for some minutes more.
            return self.finish(Err(Stop::SignedOut(SignedOut::ended(error))), None);
        }
        let mut cookie = None;
        loop {
            let need = deadline.limit(self.checks.need(&session, known.age)).await.and_then(|need| need);
            let (renewed, newer) = match need {
                Ok(Need::Nothing(token)) => return self.finish(Ok(SignedIn::new(session, token)), cookie),
                // A new pair came a moment ago, or is in flight: its cookie goes to the caller that began the refresh.
                Ok(Need::RefreshSoon(token)) if cookie.is_some() || session.known().is_in_flight => {
                    return self.finish(Ok(SignedIn::new(session, token)), cookie);
                }
                Ok(Need::RefreshSoon(token)) => {
                    let now = self.client.core.runtime.clock.now();
                    let deadline = deadline.or_after(time_left(&token, now));
                    match self.renew(session.copy(), Want::Newest, deadline).await {
                        (Err(Stop::Unknown(_)), newer) => return self.finish(Ok(SignedIn::new(session, token)), newer),
                        renewed => renewed,
                    }
                }
                Ok(Need::Refresh) => self.renew(session, Want::Newest, deadline).await,
                Err(stop) => return self.finish(Err(stop), cookie),
            };
            cookie = newer.or(cookie);
            session = match renewed {
                Ok(session) => session,
                Err(stop) => return self.finish(Err(stop), cookie),
            };
            known = session.known();
        }
    }

    /// Exchanges a session's tokens for those of another organization of its user.
    pub async fn switch_organization(
        &self,
        sealed: &str,
        id: OrganizationId,
    ) -> ForResponse<Result<SignedIn, SwitchError>> {
        let asked = Asked::now();
        let (switched, cookie) = self.switched(sealed, id).await;
        ForResponse::new(switched, self.headers(sealed, asked, cookie))
    }

    pub(super) async fn switched(
        &self,
        sealed: &str,
        id: OrganizationId,
    ) -> (Result<SignedIn, SwitchError>, Option<SetCookie>) {
        let deadline = self.checks.deadline();
        let (switched, cookie) = match self.open(sealed) {
            Ok(session) => match self.renew(session, Want::Switch(id), deadline).await {
                (Ok(session), cookie) => {
                    let user = deadline.limit(self.checks.activate(session)).await.and_then(|user| user);
                    (user, cookie)
                }
                (Err(stop), cookie) => (Err(stop), cookie),
            },
            Err(stop) => (Err(stop), None),
        };
        let cookie = self.cookie_after(&switched, cookie);
        (switched.map_err(SwitchError::of), cookie)
    }

    /// Signs out, and gives the URL that ends the session at WorkOS, from where the browser goes back to `return_to`.
    ///
    /// The URL is absent when there is no session. Nothing is asked of WorkOS.
    pub fn sign_out(&self, sealed: &str, return_to: Option<&RedirectUri>) -> ForResponse<Option<LogoutUrl>> {
        let (id, cookie) = self.signed_out(sealed);
        let url = id.map(|id| wire::logout_url(&self.client.core.base_url, &id, return_to));
        ForResponse::new(url, self.headers(sealed, Asked::now(), Some(cookie)))
    }

    pub(super) fn signed_out(&self, sealed: &str) -> (Option<SessionId>, SetCookie) {
        let (id, evidence) = match self.open(sealed) {
            Ok(session) => (session.id_to_end(), session.end()),
            Err(_) => (None, SignedOut::by_the_user()),
        };
        (id, self.cookie.clear(&evidence))
    }

    /// Ends all sessions of a user at WorkOS, and says how many. Cookies are out of reach: each is good until its access token expires,
    /// which takes minutes, and then WorkOS refuses its refresh. A [`SessionManager`](super::SessionManager) ends sessions at once.
    ///
    /// # Errors
    /// [`Error`]; some sessions may have ended. Call it again.
    pub async fn sign_out_everywhere(&self, user_id: &UserId) -> Result<usize, Error> {
        sign_out_everywhere(&self.client, user_id).await
    }

    /// Tells later whether a newer cookie has replaced this one, or its session is over.
    pub(super) fn outdated(&self, cookie: &SetCookie) -> impl Fn() -> bool + Send + Sync + 'static {
        let session = self.open(wire::text(cookie)).ok();
        move || session.as_ref().is_some_and(Session::is_outdated)
    }

    fn headers(&self, sealed: &str, asked: Asked, cookie: Option<SetCookie>) -> ResponseHeaders {
        let cookie = cookie.map(|cookie| {
            let outdated: Outdated = Box::new(self.outdated(&cookie));
            (cookie, outdated)
        });
        ResponseHeaders::of(sealed, asked, cookie)
    }

    fn open(&self, sealed: &str) -> Result<Session<Confidential>, Stop> {
        if sealed.is_empty() {
            return Err(Stop::SignedOut(SignedOut::not_found()));
        }
        self.cookie.opened(&self.client, sealed).map_err(Stop::SignedOut)
    }

    /// Renews a session. The cookie has the newest pair, also one that came on the way to another organization.
    async fn renew(
        &self,
        session: Session<Confidential>,
        want: Want,
        deadline: Deadline,
    ) -> (Result<Session<Confidential>, Stop>, Option<SetCookie>) {
        // If the old pair doesn't fit into a cookie, the new one won't either. Better to know it before the token is used up.
        if let Err(error) = self.fit(&session) {
            return (Err(Stop::Unknown(error)), None);
        }
        let old = wire::clone_refresh_token(&session.parts.refresh_token);
        let renewed = async {
            match want {
                // The caller checks a pair from an earlier refresh itself.
                Want::Same | Want::Newest => session.renew(want, UNDELIVERED_KEPT_FOR).await,
                Want::Switch(_) => session.renew_now(want).await,
            }
        };
        let (session, problem) = match deadline.limit(renewed).await {
            Ok(Ok(session)) => (session, None),
            Ok(Err(RefreshError::Kept(kept))) => {
                let error = kept.error().clone();
                (kept.into_session(), Some(Stop::Unknown(error)))
            }
            Ok(Err(RefreshError::Ended(over))) => return (Err(Stop::SignedOut(over)), None),
            Err(stop) => return (Err(stop), None),
        };
        match (self.fit(&session), problem) {
            (Ok(cookie), None) => (Ok(session), Some(cookie)),
            (Ok(cookie), Some(stop)) => {
                let is_newer = !wire::same(&old, &session.parts.refresh_token);
                (Err(stop), is_newer.then_some(cookie))
            }
            (Err(error), _) => (Err(Stop::Unknown(error)), None),
        }
    }

    /// A cookie that browsers accept: if it is too large, the least needed fields are left out.
    fn fit(&self, session: &Session<Confidential>) -> Result<SetCookie, Error> {
        let leave_out: [fn(&mut User); 2] = [|user| user.metadata.clear(), |user| user.profile_picture_url = None];
        let mut cookie = self.cookie.holding(session);
        let mut smaller = session.copy();
        for leave_out in leave_out {
            match &cookie {
                Err(error) if matches!(error.kind(), ErrorKind::Sealed(SealError::TooLarge { .. })) => {}
                _ => break,
            }
            leave_out(&mut smaller.parts.user);
            cookie = self.cookie.holding(&smaller);
        }
        cookie
    }

    fn finish(&self, result: Result<SignedIn, Stop>, cookie: Option<SetCookie>) -> (SessionState, Option<SetCookie>) {
        let cookie = self.cookie_after(&result, cookie);
        (SessionState::of(result), cookie)
    }

    /// The cookie to set: if the session is over, one that clears it.
    fn cookie_after(&self, result: &Result<SignedIn, Stop>, cookie: Option<SetCookie>) -> Option<SetCookie> {
        match result {
            Err(Stop::SignedOut(evidence)) => Some(self.cookie.clear(evidence)),
            _ => cookie,
        }
    }
}

impl fmt::Debug for CookieSessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CookieSessions").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}
