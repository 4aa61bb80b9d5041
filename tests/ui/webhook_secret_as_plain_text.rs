//! The secret of a webhook endpoint is given as plain text, which may be empty.

use workos_auth::SessionManager;
use workos_auth::session::MemorySessionStore;

fn main() {
    let sessions: SessionManager<MemorySessionStore> = todo!();
    let webhooks = sessions.webhooks("https://example.com/webhooks", "");
}
