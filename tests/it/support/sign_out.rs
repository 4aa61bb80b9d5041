//! A sign-out that meets refreshes of two processes over and over, each time a little differently.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use workos_auth::session::{SessionIndex, SessionStore, SignedOutReason, StoredSession};
use workos_auth::{AuthenticationResponse, ConfidentialClient, SessionManager, SessionState, TokenVerifier};

/// Where `WORKOS_SEEDS` isn't set. The gate does it a thousand times.
const ROUNDS: u64 = 200;

/// Takes its time, differently with each seed.
struct Jittery<S> {
    store: S,
    state: AtomicU64,
}

impl<S> Jittery<S> {
    fn new(store: S, seed: u64) -> Self {
        Self { store, state: AtomicU64::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1) }
    }

    fn next(&self) -> u64 {
        let step = |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let state = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| Some(step(state)));
        state.unwrap_or_default() >> 33
    }

    async fn dawdle(&self) {
        match self.next() % 4 {
            0 => {}
            1 => tokio::time::sleep(Duration::from_micros(self.next() % 3_000)).await,
            _ => {
                for _ in 0..self.next() % 20 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

impl<S: SessionStore> SessionStore for Jittery<S> {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        self.dawdle().await;
        let held = self.store.load(key).await;
        self.dawdle().await;
        held
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        self.store.create(key, sealed, index, lifetime).await
    }

    async fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> io::Result<bool> {
        self.dawdle().await;
        let replaced = self.store.replace(key, version, sealed, index, lifetime).await;
        self.dawdle().await;
        replaced
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        self.store.find(hash, limit).await
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        self.dawdle().await;
        let removed = self.store.remove(key, tombstone).await;
        self.dawdle().await;
        removed
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        self.dawdle().await;
        self.store.lock(key, owner, lease).await
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        self.dawdle().await;
        self.store.unlock(key, owner).await
    }
}

/// Signs out while two processes refresh. `expired` signs a user in whose access token is at its end.
pub(crate) async fn interleave<S: SessionStore + Clone>(
    [here, there]: &[ConfidentialClient; 2],
    store: S,
    expired: impl AsyncFn() -> Result<AuthenticationResponse, Box<dyn Error + Send + Sync>>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let verifiers = [here.verifier(), there.verifier()];
    let rounds = if std::env::var_os("WORKOS_SEEDS").is_some() { 1_000 } else { ROUNDS };
    let (mut active, mut signed_out) = (0, 0);
    // How late the sign-out comes at most: as long as a refresh takes, about. A store on a busy machine takes its time.
    let mut latest = Duration::from_millis(8);
    for seed in 0..rounds {
        let store = Arc::new(Jittery::new(store.clone(), seed));
        let manager = |client: &ConfidentialClient, verifier: &TokenVerifier| {
            SessionManager::new(client.clone(), Arc::clone(&store)).verifier(verifier.clone())
        };
        let managers = [manager(here, &verifiers[0]), manager(there, &verifiers[1])];
        let handle = managers[0].sign_in(expired().await?).await?;
        let late = latest.mul_f64(f64::from(u32::try_from(store.next() % 1_000)?) / 1_000.0);
        let sign_out = async {
            tokio::time::sleep(late).await;
            managers[usize::from(seed % 2 == 0)].sign_out(&handle, None).await
        };
        let authenticate = |manager: usize| managers[manager].authenticate(&handle);
        let (one, two, three, done) = tokio::join!(authenticate(0), authenticate(0), authenticate(1), sign_out);
        done?;
        for state in [one, two, three] {
            match state {
                SessionState::Active(_) => active += 1,
                SessionState::SignedOut(why) if why.reason() == SignedOutReason::Removed => signed_out += 1,
                other => return Err(format!("round {seed}: {other:?}").into()),
            }
        }
        latest = if active < signed_out { (latest * 21 / 20).min(Duration::from_secs(1)) } else { latest * 20 / 21 };
        for manager in &managers {
            let state = manager.authenticate(&handle).await;
            if !matches!(&state, SessionState::SignedOut(why) if why.reason() == SignedOutReason::Removed) {
                return Err(format!("round {seed}: after the sign-out: {state:?}").into());
            }
        }
    }
    println!("{rounds} sign-outs during a refresh: it came first for {active}, the sign-out for {signed_out}");
    if active < rounds / 10 || signed_out < rounds / 10 {
        return Err("the one always comes before the other: this tests nothing".into());
    }
    Ok(())
}
