//! The session ID is read by code that is generic over what names a session.

use workos_auth::id::SessionId;
use workos_auth::typestate::NamesSession;

fn misuse<T: NamesSession>(token: &T) -> &SessionId {
    token.named_session()
}

fn main() {}
