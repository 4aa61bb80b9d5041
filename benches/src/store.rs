//! What a session in a store costs, beside one bare `GET` of the same value on the same connection.

use redis::Cmd;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{MemorySessionStore, RedisSessionStore, SessionStore};
use workos_auth::{ExposeSecret, SessionManager, SessionState};

use crate::Outcome;
use crate::harness::{Contestant, Effort, rounds};
use crate::redis::Redis;
use crate::report::{Bar, Report, Row};
use crate::users::Issuer;

pub fn run(runtime: &Runtime, effort: Effort, report: &mut Report) -> Outcome {
    let Some(server) = Redis::start(runtime)? else { return Ok(()) };
    let issuer = Issuer::new()?;
    let client = issuer.client()?;
    let redis = RedisSessionStore::new(server.connection.clone());
    let bare = SessionManager::new(client.clone(), redis.clone());
    let remembering = SessionManager::new(client.clone(), redis).verifier(client.verifier().remember(1_000));
    let memory =
        SessionManager::new(client.clone(), MemorySessionStore::new()).verifier(client.verifier().remember(1_000));
    let handle = runtime.block_on(bare.sign_in(issuer.parts(0)?))?;
    let memory_handle = runtime.block_on(memory.sign_in(issuer.parts(0)?))?;
    let key = redis_key(&handle);
    let connection = &server.connection;
    let series = rounds(
        effort,
        vec![
            Contestant::awaits("Redis: one bare `GET`", effort, runtime, || async {
                let value: Option<String> = Cmd::get(&key).query_async(&mut connection.clone()).await.unwrap();
                assert!(value.is_some());
            }),
            Contestant::awaits("Redis, with a verifier that remembers", effort, runtime, || {
                active(&remembering, &handle)
            }),
            Contestant::awaits("Redis, with one that does not", effort, runtime, || active(&bare, &handle)),
            Contestant::awaits("memory, with a verifier that remembers", effort, runtime, || {
                active(&memory, &memory_handle)
            }),
        ],
    )?;
    let [floor, remembering, bare, memory] = &series[..] else { return Err("four series".into()) };
    report.heading("Sessions in a store");
    report.table(&[
        Row::floor(floor),
        Row::over(remembering, floor, "a `GET`"),
        Row::over(bare, floor, "a `GET`"),
        Row::over(memory, floor, "a `GET`"),
    ]);
    report.bars(
        "store",
        "A session in a store: time of one `authenticate`",
        &[
            Bar::floor("Redis: one bare GET", floor),
            Bar::ours("Redis, remembering", remembering),
            Bar::ours("Redis, not remembering", bare),
            Bar::ours("memory, remembering", memory),
        ],
    )
}

/// Where the store has a session.
pub fn redis_key(handle: &SessionHandle) -> String {
    format!("workos-auth:{}", session_key(handle))
}

/// The key of a session in any store.
pub fn session_key(handle: &SessionHandle) -> String {
    Sha256::digest(handle.expose_secret()).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub async fn active<S: SessionStore>(manager: &SessionManager<S>, handle: &SessionHandle) {
    assert!(matches!(manager.authenticate(handle).await, SessionState::Active(_)));
}
