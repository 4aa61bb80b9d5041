//! Only verified and expired tokens name a session for certain.

struct FromRequest(workos_auth::SessionId);

impl workos_auth::NamesSession for FromRequest {
    fn session_id(&self) -> &workos_auth::SessionId {
        &self.0
    }
}

fn main() {}
