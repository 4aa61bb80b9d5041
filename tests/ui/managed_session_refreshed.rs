//! Who keeps the session refreshes it: a second one would take its refresh token away.

use workos_auth::ActiveSession;

async fn page(session: ActiveSession) {
    session.refresh().await;
}

fn main() {}
