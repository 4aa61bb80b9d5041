//! Whether a check, a refresh or a look-up costs more when there are many of them.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redis::Cmd;
use redis::aio::ConnectionManager;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{
    MemorySessionStore, RedisSessionStore, SessionIndex, SessionParts, SessionStore, StoredSession,
};
use workos_auth::{AccessToken, ConfidentialClient, RefreshToken, SessionManager, TokenVerifier, User};

use crate::Outcome;
use crate::harness::{Contestant, Dice, Effort, Series, rounds};
use crate::redis::Redis;
use crate::report::{Line, Report, Row, grouped};
use crate::store::{active, redis_key, session_key};
use crate::users::{Issuer, refresh_token, user};

const LIFETIME: Duration = Duration::from_secs(86_400);
/// At most so many of a store's sessions are used; the others are copies of their values under other keys.
const USED: usize = 1_000;

pub fn run(runtime: &Runtime, effort: Effort, report: &mut Report) -> Outcome {
    memory(runtime, effort, report)?;
    redis(effort, report)?;
    threads(runtime, effort, report)?;
    refreshes(runtime, effort, report)?;
    remembered(runtime, effort, report)
}

/// A memory store with many sessions.
pub struct Filled {
    pub manager: SessionManager<Arc<MemorySessionStore>>,
    /// Those that are used, spread over all.
    pub handles: Vec<SessionHandle>,
    /// The length of a sealed value.
    pub sealed: usize,
}

impl Filled {
    pub async fn new(issuer: &Arc<Issuer>, client: &ConfidentialClient, sessions: usize) -> Outcome<Self> {
        let store = Arc::new(MemorySessionStore::new());
        let verifier = client.verifier().remember(4 * USED);
        let manager = SessionManager::new(client.clone(), store.clone()).verifier(verifier);
        let mut handles = Vec::new();
        let (mut dice, mut sealed) = (Dice::new(sessions as u64), String::new());
        let used = sessions.min(USED);
        for number in 0..used {
            let handle = manager.sign_in(issuer.parts(number)?).await.map_err(workos_auth::Error::from)?;
            if let Some(StoredSession::Live { sealed: value, .. }) = store.load(&session_key(&handle)).await? {
                sealed = value;
            }
            handles.push(handle);
            for _ in 0..(sessions / used - 1) {
                let hash =
                    |dice: &mut Dice| -> String { (0..16).map(|_| format!("{:04x}", dice.roll(1 << 16))).collect() };
                let index = SessionIndex::new(hash(&mut dice), hash(&mut dice));
                assert!(store.create(&hash(&mut dice), &sealed, &index, LIFETIME).await?);
            }
        }
        Ok(Self { manager, handles, sealed: sealed.len() })
    }

    async fn authenticate_any(&self, dice: &mut Dice) {
        active(&self.manager, &self.handles[dice.roll(self.handles.len())]).await;
    }
}

/// The numbers of sessions.
pub fn sizes(effort: Effort) -> Vec<usize> {
    [1, 100, 10_000, 1_000_000].into_iter().filter(|size| *size <= effort.sessions).collect()
}

fn memory(runtime: &Runtime, effort: Effort, report: &mut Report) -> Outcome {
    let issuer = Issuer::new()?;
    let client = issuer.client()?;
    let sizes = sizes(effort);
    let filled = sizes.iter().map(|size| runtime.block_on(Filled::new(&issuer, &client, *size)));
    let filled = filled.collect::<Outcome<Vec<_>>>()?;
    // The first check of a token verifies it; the others remember.
    for filled in &filled {
        for handle in &filled.handles {
            runtime.block_on(active(&filled.manager, handle));
        }
    }
    let contestants = sizes.iter().zip(&filled).map(|(size, filled)| {
        let mut dice = Dice::new(7);
        Contestant::new(format!("sessions: {}", grouped(*size)), move || {
            let (mut calls, start) = (0_u32, Instant::now());
            runtime.block_on(async {
                while start.elapsed() < effort.slice {
                    for _ in 0..100 {
                        filled.authenticate_any(&mut dice).await;
                    }
                    calls += 100;
                }
            });
            Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls))
        })
    });
    let series = rounds(effort, contestants.collect())?;
    report.heading("Many sessions in memory");
    report.text("`SessionManager::authenticate` on any of them, with a verifier that remembers.");
    against_first(report, &series, "one session");
    let points = sizes.iter().copied().zip(&series).collect();
    let line = Line { label: "authenticate", ours: true, points };
    report.lines("sessions", "Sessions in memory: time of one authenticate", ("sessions", "µs"), 1e3, &[line])
}

fn against_first(report: &Report, series: &[Series], first: &str) {
    let rows = series.iter().enumerate().map(|(index, one)| match index {
        0 => Row::floor(one),
        _ => Row::over(one, &series[0], first),
    });
    report.table(&rows.collect::<Vec<_>>());
}

/// Time of one call when so many are under way: on two threads, as a server here has.
fn under_way<F, R>(runtime: &Runtime, in_flight: usize, slice: Duration, call: F) -> Outcome<f64>
where
    F: Fn() -> R + Clone + Send + 'static,
    R: Future<Output = ()> + Send,
{
    runtime.block_on(async {
        let calls = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..in_flight {
            let (calls, call) = (Arc::clone(&calls), call.clone());
            tasks.spawn(async move {
                while start.elapsed() < slice {
                    call().await;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done?;
        }
        Ok(start.elapsed().as_secs_f64() * 1e9 / calls.load(Ordering::Relaxed) as f64)
    })
}

fn redis(effort: Effort, report: &mut Report) -> Outcome {
    const IN_FLIGHT: [usize; 3] = [1, 16, 256];
    let runtime = &Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let Some(server) = Redis::start(runtime)? else { return Ok(()) };
    let issuer = Issuer::new()?;
    let client = issuer.client()?;
    let manager = SessionManager::new(client.clone(), RedisSessionStore::new(server.connection.clone()))
        .verifier(client.verifier().remember(4 * USED));
    let manager = Arc::new(manager);
    let handle = Arc::new(runtime.block_on(manager.sign_in(issuer.parts(0)?)).map_err(workos_auth::Error::from)?);
    let key: Arc<str> = redis_key(&handle).into();
    let mut contestants = Vec::new();
    for in_flight in IN_FLIGHT {
        let (connection, key) = (server.connection.clone(), Arc::clone(&key));
        contestants.push(Contestant::new(format!("{in_flight} in flight: bare `GET`s"), move || {
            let (connection, key) = (connection.clone(), Arc::clone(&key));
            under_way(runtime, in_flight, effort.slice, move || get(connection.clone(), Arc::clone(&key)))
        }));
        let (manager, handle) = (Arc::clone(&manager), Arc::clone(&handle));
        contestants.push(Contestant::new(format!("{in_flight} in flight: `authenticate`"), move || {
            let (manager, handle) = (Arc::clone(&manager), Arc::clone(&handle));
            under_way(runtime, in_flight, effort.slice, move || {
                let (manager, handle) = (Arc::clone(&manager), Arc::clone(&handle));
                async move { active(&manager, &handle).await }
            })
        }));
    }
    let series = rounds(effort, contestants)?;
    report.heading("Many requests for sessions in Redis");
    report.text("Time per call on one connection, two threads of the client, with a verifier that remembers.");
    let rows =
        series.chunks(2).flat_map(|pair| [Row::floor(&pair[0]), Row::over(&pair[1], &pair[0], "the bare `GET`s")]);
    report.table(&rows.collect::<Vec<_>>());
    for (in_flight, pair) in IN_FLIGHT.iter().zip(series.chunks(2)) {
        report.text(&format!(
            "\nThroughput with {in_flight} in flight: {} of the bare `GET`s'.",
            pair[0].ratio_to(&pair[1])
        ));
    }
    // Calls per second.
    let throughput = |series: &Series| Series {
        name: series.name.clone(),
        values: series.values.iter().map(|nanoseconds| 1e9 / nanoseconds).collect(),
    };
    let throughputs: Vec<Series> = series.iter().map(throughput).collect();
    let every = |start: usize| IN_FLIGHT.iter().copied().zip(throughputs.iter().skip(start).step_by(2)).collect();
    report.lines(
        "redis",
        "Sessions in Redis: calls per second on one connection",
        ("in flight", "thousand per second"),
        1e3,
        &[
            Line { label: "bare GETs", ours: false, points: every(0) },
            Line { label: "authenticate", ours: true, points: every(1) },
        ],
    )
}

async fn get(mut connection: ConnectionManager, key: Arc<str>) {
    let value: Option<String> = Cmd::get(&*key).query_async(&mut connection).await.unwrap();
    assert!(value.is_some());
}

/// Checks per thread and slice: the time of one check of all threads together.
fn together(verifier: &TokenVerifier, tokens: &[AccessToken], threads: usize, slice: Duration) -> Outcome<f64> {
    let check = |from: usize| -> Outcome<(u64, f64)> {
        let runtime = Builder::new_current_thread().build()?;
        let mut calls = 0;
        let start = Instant::now();
        runtime.block_on(async {
            while start.elapsed() < slice {
                for token in tokens.iter().skip(from).step_by(threads) {
                    black_box(verifier.verify(token).await).unwrap();
                    calls += 1;
                }
            }
        });
        Ok((calls, start.elapsed().as_secs_f64()))
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|from| scope.spawn(move || check(from))).collect();
        let mut per_second = 0.0;
        for thread in running {
            let (calls, seconds) = thread.join().map_err(|_| "a check failed")??;
            per_second += calls as f64 / seconds;
        }
        Ok(1e9 / per_second)
    })
}

fn threads(runtime: &Runtime, effort: Effort, report: &mut Report) -> Outcome {
    let issuer = Issuer::new()?;
    let client = issuer.client()?;
    let tokens = issuer.tokens(64)?;
    let (plain, remembering) = (client.verifier(), client.verifier().remember(4 * USED));
    runtime.block_on(plain.verify(&tokens[0])).map_err(workos_auth::Error::from)?;
    let mut contestants = Vec::new();
    for (name, verifier) in [("verifier", &plain), ("remembering verifier", &remembering)] {
        for threads in [1, 2] {
            let (tokens, name) = (&tokens, format!("{name}, threads: {threads}"));
            contestants.push(Contestant::new(name, move || together(verifier, tokens, threads, effort.slice)));
        }
    }
    let series = rounds(effort, contestants)?;
    report.heading("Checks on two threads");
    let rows = series.chunks(2).flat_map(|pair| [Row::floor(&pair[0]), Row::over(&pair[1], &pair[0], "one thread")]);
    report.table(&rows.collect::<Vec<_>>());
    for (name, pair) in ["The verifier", "The remembering verifier"].iter().zip(series.chunks(2)) {
        report.text(&format!("\n{name} makes {} as many checks on two threads as on one.", pair[0].ratio_to(&pair[1])));
    }
    Ok(())
}

/// Refreshes that many sessions, and gives the time of it. Each has a refresh token that no other has.
async fn refresh(client: &ConfidentialClient, parts: &Parts, tokens: Range<u64>) -> Outcome<Duration> {
    let sessions: Vec<_> = tokens.map(|number| client.session(parts.with(number))).collect();
    let start = Instant::now();
    for session in sessions {
        drop(black_box(session.refresh().await.map_err(|error| error.error())?));
    }
    Ok(start.elapsed())
}

struct Parts {
    user: User,
    token: String,
}

impl Parts {
    fn with(&self, number: u64) -> SessionParts {
        let (token, refresh_token) = (AccessToken::new(&*self.token), RefreshToken::new(refresh_token(number)));
        SessionParts::new(self.user.clone(), token, refresh_token)
    }
}

fn refreshes(runtime: &Runtime, effort: Effort, report: &mut Report) -> Outcome {
    /// Refreshes of one measurement.
    const MORE: u64 = 200;
    let issuer = Issuer::new()?;
    let parts = &Parts { user: serde_json::from_value(user(0))?, token: issuer.token(0)? };
    let entries = effort.entries as u64;
    let full = issuer.client()?;
    runtime.block_on(refresh(&full, parts, 0..entries))?;
    let mut next = entries;
    let until_over = move |mut measure: Box<dyn FnMut() -> Outcome<Duration> + '_>| -> Outcome<f64> {
        let (mut taken, mut calls) = (Duration::ZERO, 0);
        while taken < effort.slice {
            taken += measure()?;
            calls += MORE;
        }
        Ok(taken.as_secs_f64() * 1e9 / calls as f64)
    };
    let (first, later) = (format!("the first {MORE} refreshes of a client"), format!("{MORE} more after {entries}"));
    let series = rounds(
        effort,
        vec![
            Contestant::new(first, || {
                until_over(Box::new(|| {
                    let client = issuer.client()?;
                    runtime.block_on(refresh(&client, parts, 0..MORE))
                }))
            }),
            Contestant::new(later, || {
                until_over(Box::new(|| {
                    next += MORE;
                    runtime.block_on(refresh(&full, parts, next - MORE..next))
                }))
            }),
        ],
    )?;
    report.heading("Many refreshes");
    report.text("Time of one refresh, with an API that answers at once.");
    against_first(report, &series, "the first");
    Ok(())
}

fn remembered(runtime: &Runtime, effort: Effort, report: &mut Report) -> Outcome {
    let issuer = Issuer::new()?;
    let client = issuer.client()?;
    eprintln!("signing {} tokens …", effort.entries);
    let tokens = issuer.tokens(effort.entries)?;
    let sizes: Vec<usize> = [10, 1_000, 100_000].into_iter().filter(|size| *size <= effort.entries).collect();
    let verifiers: Vec<TokenVerifier> = sizes.iter().map(|size| client.verifier().remember(2 * size)).collect();
    for (size, verifier) in sizes.iter().zip(&verifiers) {
        runtime.block_on(async {
            for token in &tokens[..*size] {
                verifier.verify(token).await.map_err(workos_auth::Error::from)?;
            }
            Ok::<_, workos_auth::Error>(())
        })?;
    }
    let contestants = sizes.iter().zip(&verifiers).map(|(size, verifier)| {
        let (tokens, mut dice) = (&tokens[..*size], Dice::new(7));
        Contestant::new(format!("tokens: {}", grouped(*size)), move || {
            let (mut calls, start) = (0_u32, Instant::now());
            runtime.block_on(async {
                while start.elapsed() < effort.slice {
                    for _ in 0..100 {
                        black_box(verifier.verify(&tokens[dice.roll(tokens.len())]).await).unwrap();
                    }
                    calls += 100;
                }
            });
            Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls))
        })
    });
    let series = rounds(effort, contestants.collect())?;
    report.heading("Many remembered tokens");
    against_first(report, &series, "ten tokens");
    let points = sizes.iter().copied().zip(&series).collect();
    let line = Line { label: "check", ours: true, points };
    report.lines("remembered", "Remembered tokens: time of one check", ("remembered tokens", "µs"), 1e3, &[line])
}
