//! Claims are read before anybody has looked whether the user is signed in.

use workos_auth::SessionManager;
use workos_auth::secret::SessionHandle;
use workos_auth::session::MemorySessionStore;

async fn misuse(sessions: SessionManager<MemorySessionStore>, handle: SessionHandle) {
    let state = sessions.authenticate(&handle).await;
    println!("{:?}", state.token().user_id());
}

fn main() {}
