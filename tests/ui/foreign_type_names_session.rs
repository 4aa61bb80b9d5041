//! A session ID from a request is passed off as one that is certain.

use workos_auth::id::SessionId;

struct FromRequest(SessionId);

impl workos_auth::typestate::NamesSession for FromRequest {
    fn named_session(&self) -> &SessionId {
        &self.0
    }
}

fn main() {}
