//! Ending sessions at WorkOS without the browser.

use super::parts::Session;
use super::{ActiveSession, ExpiredSession, SignedOut};
use crate::api::ApiRequest;
use crate::credentials::IsConfidential;
use crate::id::SessionId;
use crate::transport::accept;

impl<K> ActiveSession<K> {
    /// Ends the session in this process, and at WorkOS without the browser. Its access token stays valid until it expires.
    pub fn revoke(self) -> ApiRequest<SignedOut>
    where
        K: IsConfidential,
    {
        revoke(&self.session, self.token.session_id())
    }
}

impl<K> ExpiredSession<K> {
    /// Ends the session in this process at once, and at WorkOS, without the browser, when the request is sent.
    pub fn revoke(self) -> ApiRequest<SignedOut>
    where
        K: IsConfidential,
    {
        revoke(&self.session, self.token.session_id())
    }
}

fn revoke<K: IsConfidential>(session: &Session<K>, id: &SessionId) -> ApiRequest<SignedOut> {
    session.end();
    session.caller.client.sessions().revoke(id).reading(|reply| accept(reply).map(|()| SignedOut::by_the_user()))
}
