//! A session on a user's device is refreshed, and nobody says where its new tokens go.

use workos_auth::{ExpiredSession, Public};

async fn misuse(session: ExpiredSession<Public>) {
    let _ = session.refresh().await;
}

fn main() {}
