//! A login is used after it was put into a store.

use workos_auth::parking::MemoryPkceStore;
use workos_auth::{Callback, PkceSession, Public};

async fn misuse(store: MemoryPkceStore, session: PkceSession<Public>, callback: Callback) {
    let _ = session.store(&store).await;
    let _ = session.exchange(callback);
}

fn main() {}
