//! Steps of a session's life that many tests walk through, as an application does.

use std::convert::Infallible;
use std::sync::LazyLock;

use http::header::SET_COOKIE;
use workos_auth::session::Refresh;
use workos_auth::session::{ForResponse, SessionParts, SignedOutReason};
use workos_auth::typestate::HasClientId;
use workos_auth::{Confidential, CookiePassword, OpenedSession, Refreshed, SessionCookie, SessionState, SignedOut};

static COOKIE: LazyLock<SessionCookie> =
    LazyLock::new(|| SessionCookie::new(CookiePassword::generate().unwrap()).unwrap());

/// Keeps a refreshed session in a cookie, which no browser gets.
pub(crate) fn keep(refreshed: Refreshed<Confidential>) -> OpenedSession<Confidential> {
    refreshed.into_cookie(&COOKIE).unwrap().1
}

pub(crate) fn parts(refreshed: Refreshed<Confidential>) -> SessionParts {
    keep(refreshed).into_unverified_parts()
}

/// Refreshes a session that is only in the test's memory.
pub(crate) async fn refreshed<K: HasClientId>(refresh: Refresh<K>) -> OpenedSession<K> {
    refresh.keep(async |_| Ok::<_, Infallible>(true)).await.unwrap()
}

/// A cookie as the browser gets it.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) value: String,
    pub(crate) is_clearing: bool,
}

/// What was found out about a request, and the cookie in its response.
pub(crate) fn split<T>(found: ForResponse<T>) -> (T, Option<Given>) {
    let mut value = None;
    let response = found.respond(|found| {
        value = Some(found);
        http::Response::new(())
    });
    let mut lines = response.headers().get_all(SET_COOKIE).iter();
    let cookie = lines.next().map(|line| {
        let (pair, attributes) = line.to_str().unwrap().split_once(';').unwrap();
        let value = pair.split_once('=').unwrap().1.to_owned();
        Given { value, is_clearing: attributes.split("; ").any(|attribute| attribute == "Max-Age=0") }
    });
    assert!(lines.next().is_none(), "one cookie at most");
    (value.unwrap(), cookie)
}

/// What is known of a session that must be over, and why.
pub(crate) fn over(state: SessionState, reason: SignedOutReason) -> SignedOut {
    let SessionState::SignedOut(signed_out) = state else { panic!("{state:?}") };
    assert_reason(&signed_out, reason);
    signed_out
}

/// What was ended or can't be opened says why, and nothing else does.
pub(crate) fn assert_reason(signed_out: &SignedOut, reason: SignedOutReason) {
    assert_eq!(signed_out.reason(), reason, "{signed_out:?}");
    let has_error = matches!(reason, SignedOutReason::Ended | SignedOutReason::Unreadable);
    assert_eq!(signed_out.error().is_some(), has_error, "{signed_out:?}");
}
