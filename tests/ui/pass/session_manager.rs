//! Sessions in a store, of which the browser has a random handle.

use workos_auth::secret::SessionHandle;
use workos_auth::session::MemorySessionStore;
use workos_auth::{AuthenticationResponse, ConfidentialClient, Error, SessionManager, SessionState};

fn manager(client: ConfidentialClient) -> SessionManager<MemorySessionStore> {
    SessionManager::new(client, MemorySessionStore::new())
}

async fn sign_in(
    sessions: &SessionManager<MemorySessionStore>,
    response: AuthenticationResponse,
) -> Result<SessionHandle, Error> {
    Ok(sessions.sign_in(response).await?)
}

async fn status(sessions: &SessionManager<MemorySessionStore>, handle: &SessionHandle) -> u16 {
    match sessions.authenticate(handle).await {
        SessionState::Active(_) => 200,
        SessionState::SignedOut(_) => 401,
        SessionState::TemporarilyUnknown(_) => 503,
    }
}

fn main() {}
