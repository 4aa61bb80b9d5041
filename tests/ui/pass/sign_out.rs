//! A user signs out: the browser goes to WorkOS, and the cookie is cleared. Or the session is revoked without the browser.

use workos_auth::{ActiveSession, Confidential, Error, SessionCookie, SetCookie};

fn sign_out(session: ActiveSession<Confidential>, cookie: &SessionCookie) -> (String, SetCookie) {
    let sign_out = session.sign_out(None);
    (sign_out.url.to_string(), cookie.clear(&sign_out.signed_out))
}

async fn revoke(session: ActiveSession<Confidential>, cookie: &SessionCookie) -> Result<SetCookie, Error> {
    let signed_out = session.revoke().send().await?;
    Ok(cookie.clear(&signed_out))
}

fn main() {}
