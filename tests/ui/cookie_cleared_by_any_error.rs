//! Any error clears the session cookie, an outage too.

use workos_auth::{Confidential, OpenedSession, SessionCookie, SetCookie, TokenVerifier};

async fn misuse(
    session: OpenedSession<Confidential>,
    verifier: &TokenVerifier,
    cookie: &SessionCookie,
) -> Option<SetCookie> {
    match session.check(verifier).await {
        Ok(_) => None,
        Err(_) => Some(cookie.clear()),
    }
}

fn main() {}
