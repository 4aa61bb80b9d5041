//! A session in a cookie: opened, checked, refreshed, kept.

use workos_auth::session::{NotActive, RefreshError};
use workos_auth::{ActiveSession, Confidential, ConfidentialClient, Error, SessionCookie, SetCookie, TokenVerifier};

/// The session of a signed-in user, with its new cookie where it was refreshed; or the cookie that clears it.
async fn session(
    client: &ConfidentialClient,
    verifier: &TokenVerifier,
    cookie: &SessionCookie,
    value: &str,
) -> Result<Result<(ActiveSession<Confidential>, Option<SetCookie>), SetCookie>, Error> {
    let opened = match cookie.open(client, value) {
        Ok(opened) => opened,
        Err(signed_out) => return Ok(Err(cookie.clear(&signed_out))),
    };
    let expired = match opened.check(verifier).await {
        Ok(active) => return Ok(Ok((active, None))),
        Err(NotActive::Expired(expired)) => expired,
        Err(other) => return Err(other.into()),
    };
    match expired.refresh().await {
        Ok(refreshed) => {
            let (set_cookie, opened) = refreshed.into_cookie(cookie)?;
            Ok(Ok((opened.check(verifier).await?, Some(set_cookie))))
        }
        Err(RefreshError::Kept(kept)) => Err(kept.error().clone()),
        Err(RefreshError::Ended(signed_out)) => Ok(Err(cookie.clear(&signed_out))),
    }
}

fn main() {}
