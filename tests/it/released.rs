//! What a client keeps is gone with the last value that uses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use workos_auth::session::{CookieSessions, MemorySessionStore};
use workos_auth::transport::TransportError;
use workos_auth::{Client, CookiePassword, SessionCookie, SessionManager};

use crate::support::Outcome;

/// Says when it is dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_client_goes_with_its_last_user() -> Outcome {
    let gone = Arc::new(AtomicBool::new(false));
    let flag = Flag(Arc::clone(&gone));
    let transport = move |_: http::Request<Bytes>| {
        let _kept = &flag;
        async { Err(TransportError::timeout()) }
    };
    let client = Client::builder().client_id("client_123").api_key("sk_example").build_with(transport)?;
    let verifier = client.verifier();
    let manager = SessionManager::new(client.clone(), MemorySessionStore::new());
    let cookie = SessionCookie::new(CookiePassword::generate()?)?;
    let in_cookies = CookieSessions::new(client.clone(), cookie);
    drop((client, manager, in_cookies));
    assert!(!gone.load(Ordering::SeqCst), "the verifier still needs it");
    drop(verifier);
    assert!(gone.load(Ordering::SeqCst), "nobody is left who needs it");
    Ok(())
}
