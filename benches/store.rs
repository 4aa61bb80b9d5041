//! What `authenticate` costs on a session in a store, beside one bare `GET` of the same value on the same connection.
//!
//! It starts a `redis-server` of its own:
//!
//!     cargo bench --manifest-path benches/Cargo.toml --bench store

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use criterion::Criterion;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd};
use sha2::{Digest, Sha256};
use tokio::runtime::Builder;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{MemorySessionStore, RedisSessionStore, SessionStore};
use workos_auth::{
    ConfidentialClient, EmailAddress, ExposeSecret, Password, SessionManager, SessionState, TokenVerifier,
};
use workos_auth_bench::{Outcome, Setup, median_of};

/// Measured in turn, since the machine is noisy.
const ROUNDS: u32 = 5;

struct Redis(Child);

impl Redis {
    fn start() -> Outcome<(Self, String)> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()?;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok((Self(server), format!("redis://127.0.0.1:{port}/")))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn main() -> Outcome {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let setup = runtime.block_on(Setup::new())?;
    let (_server, url) = Redis::start()?;
    let configuration = ConnectionManagerConfig::new();
    let connection = runtime.block_on(ConnectionManager::new_with_config(Client::open(url)?, configuration))?;

    let redis = RedisSessionStore::new(connection.clone());
    let (bare, handle) = runtime.block_on(managed(&setup.client, redis.clone(), setup.verifier.clone()))?;
    let key = Sha256::digest(handle.expose_secret()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let key = format!("workos-auth:{key}");
    let remembering = SessionManager::new(setup.client.clone(), redis).verifier(setup.remembering.clone());
    let (memory, memory_handle) =
        runtime.block_on(managed(&setup.client, MemorySessionStore::new(), setup.remembering.clone()))?;

    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .configure_from_args();
    for round in 0..ROUNDS {
        let mut group = criterion.benchmark_group(format!("store_{round}"));
        group.bench_function("redis-get", |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let value: Option<String> = Cmd::get(&key).query_async(&mut connection.clone()).await.unwrap();
                value.unwrap().len()
            });
        });
        group.bench_function("redis", |bencher| {
            bencher.to_async(&runtime).iter(|| active(&remembering, &handle));
        });
        group.bench_function("redis-not-remembering", |bencher| {
            bencher.to_async(&runtime).iter(|| active(&bare, &handle));
        });
        group.bench_function("memory", |bencher| {
            bencher.to_async(&runtime).iter(|| active(&memory, &memory_handle));
        });
        group.finish();
    }
    criterion.final_summary();
    table()
}

async fn managed<S: SessionStore>(
    client: &ConfidentialClient,
    store: S,
    verifier: TokenVerifier,
) -> Outcome<(SessionManager<S>, SessionHandle)> {
    let grant = client
        .authenticate_with_password(EmailAddress::new("ada.lovelace@example.com")?, Password::new("correct horse"));
    let manager = SessionManager::new(client.clone(), store).verifier(verifier);
    let handle = manager.sign_in(grant.send().await?).await?;
    Ok((manager, handle))
}

async fn active<S: SessionStore>(manager: &SessionManager<S>, handle: &SessionHandle) {
    assert!(matches!(manager.authenticate(handle).await, SessionState::Active(_)));
}

/// Medians of the rounds' medians, and what they are of the bare `GET`.
fn table() -> Outcome {
    let median = |name: &str| -> Outcome<f64> {
        let medians = (0..ROUNDS).map(|round| median_of(&format!("store_{round}"), name));
        let mut medians = medians.collect::<Outcome<Vec<_>>>()?;
        medians.sort_by(f64::total_cmp);
        Ok(medians[medians.len() / 2])
    };
    let floor = median("redis-get")?;
    for name in ["redis-get", "redis", "redis-not-remembering", "memory"] {
        let time = median(name)?;
        println!("{name:24} {:8.1} µs  {:5.2} × a GET", time / 1000.0, time / floor);
    }
    Ok(())
}
