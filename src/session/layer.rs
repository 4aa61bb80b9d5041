//! What keeps sessions for the login handlers: they pass a cookie's value, and get a cookie to set.

use std::borrow::Cow;
use std::future::Future;

use super::cookie::LONGEST_COOKIE_AGE;
use super::state::{SessionState, SignedIn, SignedOut, SignedOutReason, SwitchError};
use super::{CookieSessions, SessionManager, SessionParts, SessionStore};
use crate::cookies::SetCookie;
use crate::error::Error;
use crate::id::{OrganizationId, RedirectUri, SessionId};
use crate::rejected::Rejected;
use crate::response::Outdated;
use crate::sealed::Internal;
use crate::secret::SessionHandle;
use crate::wire;

/// The cookie of a [`SessionManager`]'s handle.
const HANDLE_COOKIE: &str = "workos-session";
const HOST_HANDLE_COOKIE: &str = "__Host-workos-session";

/// What keeps sessions for [`LoginHandlers`](crate::LoginHandlers): a [`SessionManager`] or [`CookieSessions`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` keeps no sessions",
    label = "needs a `SessionManager` or `CookieSessions`",
    note = "make one with `SessionManager::new(client, store)` or `CookieSessions::new(client, cookie)`"
)]
pub trait SessionLayer: Send + Sync + Sized + 'static {
    #[doc(hidden)]
    /// Fits the cookies to where the application is served; called once, before the others.
    #[must_use]
    fn served_at(self, redirect_uri: &RedirectUri, _: Internal) -> Self;

    #[doc(hidden)]
    fn cookie_name(&self, served_at: &RedirectUri, _: Internal) -> Cow<'_, str>;

    #[doc(hidden)]
    /// Tells later whether a newer cookie has replaced this one, or its session is over.
    fn outdated(&self, cookie: &SetCookie, _: Internal) -> Outdated;

    #[doc(hidden)]
    fn sign_in(
        &self,
        parts: SessionParts,
        served_at: &RedirectUri,
        _: Internal,
    ) -> impl Future<Output = Result<SetCookie, Rejected<SessionParts>>> + Send;

    #[doc(hidden)]
    fn authenticate(
        &self,
        value: &str,
        served_at: &RedirectUri,
        _: Internal,
    ) -> impl Future<Output = (SessionState, Option<SetCookie>)> + Send;

    #[doc(hidden)]
    fn switch_organization(
        &self,
        value: &str,
        id: OrganizationId,
        served_at: &RedirectUri,
        _: Internal,
    ) -> impl Future<Output = (Result<SignedIn, SwitchError>, Option<SetCookie>)> + Send;

    #[doc(hidden)]
    /// Ends a session here; the ID says what is left to end at WorkOS.
    fn sign_out(
        &self,
        value: &str,
        served_at: &RedirectUri,
        _: Internal,
    ) -> impl Future<Output = Result<(Option<SessionId>, SetCookie), Error>> + Send;
}

impl SessionLayer for CookieSessions {
    fn served_at(self, redirect_uri: &RedirectUri, _: Internal) -> Self {
        CookieSessions::served_at(self, redirect_uri)
    }

    fn cookie_name(&self, _: &RedirectUri, _: Internal) -> Cow<'_, str> {
        Cow::Borrowed(CookieSessions::cookie_name(self))
    }

    fn outdated(&self, cookie: &SetCookie, _: Internal) -> Outdated {
        Box::new(CookieSessions::outdated(self, cookie))
    }

    async fn sign_in(
        &self,
        parts: SessionParts,
        _: &RedirectUri,
        _: Internal,
    ) -> Result<SetCookie, Rejected<SessionParts>> {
        self.sign_in(parts)
    }

    async fn authenticate(&self, value: &str, _: &RedirectUri, _: Internal) -> (SessionState, Option<SetCookie>) {
        self.state_of(value).await
    }

    async fn switch_organization(
        &self,
        value: &str,
        id: OrganizationId,
        _: &RedirectUri,
        _: Internal,
    ) -> (Result<SignedIn, SwitchError>, Option<SetCookie>) {
        self.switched(value, id).await
    }

    async fn sign_out(
        &self,
        value: &str,
        _: &RedirectUri,
        _: Internal,
    ) -> Result<(Option<SessionId>, SetCookie), Error> {
        Ok(self.signed_out(value))
    }
}

impl<S: SessionStore> SessionLayer for SessionManager<S> {
    fn served_at(self, _: &RedirectUri, _: Internal) -> Self {
        self
    }

    fn cookie_name(&self, served_at: &RedirectUri, _: Internal) -> Cow<'_, str> {
        Cow::Borrowed(name(served_at))
    }

    /// A handle never changes: cookies are set only at a login.
    fn outdated(&self, _: &SetCookie, _: Internal) -> Outdated {
        Box::new(|| false)
    }

    async fn sign_in(
        &self,
        parts: SessionParts,
        served_at: &RedirectUri,
        _: Internal,
    ) -> Result<SetCookie, Rejected<SessionParts>> {
        let handle = self.sign_in(parts).await?;
        Ok(SetCookie::new(name(served_at), wire::text(&handle).to_owned(), LONGEST_COOKIE_AGE, served_at.is_secure()))
    }

    async fn authenticate(
        &self,
        value: &str,
        served_at: &RedirectUri,
        _: Internal,
    ) -> (SessionState, Option<SetCookie>) {
        let state = self.authenticate(&SessionHandle::new(value)).await;
        let is_over = matches!(&state, SessionState::SignedOut(over) if must_clear(over));
        (state, is_over.then(|| cleared(served_at)))
    }

    async fn switch_organization(
        &self,
        value: &str,
        id: OrganizationId,
        served_at: &RedirectUri,
        _: Internal,
    ) -> (Result<SignedIn, SwitchError>, Option<SetCookie>) {
        let switched = self.switch_organization(&SessionHandle::new(value), id).await;
        let is_over = matches!(&switched, Err(SwitchError::SignedOut(over)) if must_clear(over));
        (switched, is_over.then(|| cleared(served_at)))
    }

    async fn sign_out(
        &self,
        value: &str,
        served_at: &RedirectUri,
        _: Internal,
    ) -> Result<(Option<SessionId>, SetCookie), Error> {
        Ok((self.signed_out(&SessionHandle::new(value)).await?, cleared(served_at)))
    }
}

/// If the session was removed a short while ago, the browser may already have the cookie of a new login.
fn must_clear(over: &SignedOut) -> bool {
    over.reason() != SignedOutReason::Removed
}

/// With https, a prefix binds the cookie to this host (RFC 6265bis §4.1.3.2).
fn name(served_at: &RedirectUri) -> &'static str {
    if served_at.is_secure() { HOST_HANDLE_COOKIE } else { HANDLE_COOKIE }
}

fn cleared(served_at: &RedirectUri) -> SetCookie {
    SetCookie::clearing(name(served_at), served_at.is_secure())
}
