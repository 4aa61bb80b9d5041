//! Sessions that live in their sealed cookie alone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use url::Url;

use super::manager::sign_out_everywhere;
use super::refresh::{UNTIL_DELIVERED, Want};
use super::state::{
    AHEAD, ANSWER_WITHIN, Deadline, Need, SessionState, SignedIn, SignedOut, Stop, SwitchError, active, fresh, left,
    logout_url, need,
};
use super::{RefreshError, Session, SessionCookie, SessionParts};
use crate::client::ConfidentialClient;
use crate::cookies::{Asked, SetCookie};
use crate::credentials::Confidential;
use crate::error::{Error, ErrorKind, SealError};
use crate::id::{OrganizationId, RedirectUri, UserId};
use crate::model::User;
use crate::rejected::Rejected;
use crate::response::{ForResponse, Outdated, ResponseHeaders};
use crate::token::TokenVerifier;
use crate::wire;

/// Keeps each session in the sealed [`SessionCookie`] of its user's browser, without a store.
///
/// Copies of a cookie can't be revoked: whoever has one has the session until WorkOS ends it. Signing out clears this browser's
/// cookie; only the process that signs out refuses copies from then on, for 10 minutes.
///
/// Refreshes are single-flight within a process, which keeps a new pair for 10 minutes for whoever comes with the old cookie.
/// Other processes get the same pair from WorkOS only within the 30 seconds in which it replays a refresh. So a browser that misses
/// the answer to a refresh for longer, and comes to another process, must sign in again. Where that matters, take a
/// [`SessionManager`](super::SessionManager).
///
/// Each call gives a [`ForResponse`], which puts the session's new cookie into the response: the old one's refresh token is used up.
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
///     _ => http::Response::new("Please sign in.".to_owned()),
/// });
/// # Ok(response) }
/// ```
#[derive(Clone)]
pub struct CookieSessions {
    client: ConfidentialClient,
    verifier: TokenVerifier,
    cookie: Arc<SessionCookie>,
    refresh_ahead: Duration,
    answer_within: Duration,
}

impl CookieSessions {
    /// Keeps sessions in this cookie.
    #[must_use]
    pub fn new(client: ConfidentialClient, cookie: SessionCookie) -> Self {
        let verifier = client.verifier();
        Self { client, verifier, cookie: Arc::new(cookie), refresh_ahead: AHEAD, answer_within: ANSWER_WITHIN }
    }

    /// Another verifier, such as one with an issuer of the application's own, or one that
    /// [remembers](TokenVerifier::remember) the tokens that come with every request.
    #[must_use]
    pub fn verifier(mut self, verifier: TokenVerifier) -> Self {
        self.verifier = verifier;
        self
    }

    /// How long before its expiry an access token is replaced, 30 seconds unless given, but never more than a quarter of its
    /// lifetime.
    #[must_use]
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.refresh_ahead = ahead;
        self
    }

    /// How long [`authenticate`](Self::authenticate) and [`switch_organization`](Self::switch_organization) take at most; 10
    /// seconds unless given. Then the answer is the old session, while its token is good, or
    /// [`TemporarilyUnknown`](SessionState::TemporarilyUnknown); what was begun goes on, and the next call has its result.
    #[must_use]
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.answer_within = time;
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
    /// What has no room in it is left out of it: the user's metadata, and then the address of the picture.
    ///
    /// # Errors
    /// As [`SessionCookie::set`]; the session comes back.
    pub fn sign_in(&self, parts: impl Into<SessionParts>) -> Result<SetCookie, Rejected<SessionParts>> {
        let session = Session::new(&self.client, parts.into());
        self.fit(&session).map_err(|error| Rejected::returning(error, session.parts))
    }

    /// Says whether a cookie's user is signed in, and refreshes the session when its access token is at its end.
    ///
    /// Whoever begins a refresh waits for it, so that its pair gets into the browser; others whose token is still good don't. A
    /// pair that comes too late, or whose reply gets lost, is kept for whoever comes with the old cookie, for 10 minutes in this
    /// process: the newest 4,096 of them.
    ///
    /// The cookie of a session that is over is cleared, unless the answer took longer than 250 ms: a new login's cookie may be in
    /// its place by then. The next answer clears it.
    pub async fn authenticate(&self, sealed: &str) -> ForResponse<SessionState> {
        let asked = Asked::now();
        let (state, cookie) = self.state_of(sealed).await;
        ForResponse::new(state, self.headers(sealed, asked, cookie))
    }

    pub(super) async fn state_of(&self, sealed: &str) -> (SessionState, Option<SetCookie>) {
        let deadline = Deadline::after(self.answer_within);
        let opened = self.open(sealed).and_then(|session| match session.ended() {
            // Its access token may be good for minutes more.
            Some(error) => Err(Stop::SignedOut(SignedOut::ended(error))),
            None => Ok(session),
        });
        let mut session = match opened {
            Ok(session) => session,
            Err(stop) => return self.finish(Err(stop), None),
        };
        let mut cookie = None;
        loop {
            let age = session.age();
            let need =
                deadline.limit(need(&session, age, &self.verifier, self.refresh_ahead)).await.and_then(|need| need);
            let (renewed, newer) = match need {
                Ok(Need::Nothing(token)) => return self.finish(Ok(active(session, token)), cookie),
                // A new pair came a moment ago, or is about to come: its cookie goes to whoever asked for it.
                Ok(Need::RefreshSoon(token)) if cookie.is_some() || session.is_being_refreshed() => {
                    return self.finish(Ok(active(session, token)), cookie);
                }
                Ok(Need::RefreshSoon(token)) => {
                    let now = self.client.core.runtime.clock.now();
                    let deadline = deadline.or_after(left(&token, now));
                    match self.renew(session.copy(), Want::Newest, deadline).await {
                        (Err(Stop::Unknown(_)), newer) => return self.finish(Ok(active(session, token)), newer),
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
        let deadline = Deadline::after(self.answer_within);
        let (outcome, cookie) = match self.open(sealed) {
            Ok(session) => match self.renew(session, Want::Switch(id), deadline).await {
                (Ok(session), cookie) => {
                    let outcome = deadline.limit(fresh(session, &self.verifier)).await.and_then(|outcome| outcome);
                    (outcome, cookie)
                }
                (Err(stop), cookie) => (Err(stop), cookie),
            },
            Err(stop) => (Err(stop), None),
        };
        let cookie = self.cookie_after(&outcome, cookie);
        (outcome.map_err(SwitchError::of), cookie)
    }

    /// Signs out, and gives the URL that ends the session at WorkOS, from where the browser goes back to `return_to`. The URL is
    /// absent when there is no session, or its ID at WorkOS is unavailable at the moment.
    pub async fn sign_out(&self, sealed: &str, return_to: Option<&RedirectUri>) -> ForResponse<Option<Url>> {
        let (url, cookie) = self.signed_out(sealed, return_to).await;
        // A sign-out is always in time.
        ForResponse::new(url, self.headers(sealed, Asked::now(), Some(cookie)))
    }

    pub(super) async fn signed_out(&self, sealed: &str, return_to: Option<&RedirectUri>) -> (Option<Url>, SetCookie) {
        let (url, evidence) = match self.open(sealed) {
            Ok(session) => {
                let evidence = session.end();
                (logout_url(&session, &self.verifier, return_to).await, evidence)
            }
            Err(_) => (None, SignedOut::by_the_user()),
        };
        (url, self.cookie.clear(&evidence))
    }

    /// Ends all sessions of a user at WorkOS, and says how many. Each cookie is good until its access token expires.
    ///
    /// # Errors
    /// [`Error`]; some may have been ended. Call it again.
    pub async fn sign_out_everywhere(&self, user_id: &UserId) -> Result<usize, Error> {
        sign_out_everywhere(&self.client, user_id).await
    }

    /// Whether a newer cookie has taken the place of this one since it was made, or its session is over.
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

    /// The newest pair, in its cookie: also one that came on the way to something else.
    async fn renew(
        &self,
        session: Session<Confidential>,
        want: Want,
        deadline: Deadline,
    ) -> (Result<Session<Confidential>, Stop>, Option<SetCookie>) {
        // Where there is no room for the old pair, there is none for the new one: better to know it before it is spent.
        if let Err(error) = self.fit(&session) {
            return (Err(Stop::Unknown(error)), None);
        }
        let old = wire::clone_refresh_token(&session.parts.refresh_token);
        let renewed = async {
            match want {
                // What was kept is looked at by whoever asks for it.
                Want::Same | Want::Newest => session.renew(want, UNTIL_DELIVERED).await,
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

    /// A cookie of a size that browsers take: what is needed least is left out.
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

    fn finish(&self, outcome: Result<SignedIn, Stop>, cookie: Option<SetCookie>) -> (SessionState, Option<SetCookie>) {
        let cookie = self.cookie_after(&outcome, cookie);
        (SessionState::of(outcome), cookie)
    }

    /// The cookie to set: the one that clears it when the session is over.
    fn cookie_after(&self, outcome: &Result<SignedIn, Stop>, cookie: Option<SetCookie>) -> Option<SetCookie> {
        match outcome {
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
