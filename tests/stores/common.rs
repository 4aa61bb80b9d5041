//! What every store must do, whatever it keeps its sessions in.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{sleep, timeout};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::prelude::*;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{BoxSessionStore, RedisSessionStore, SessionStore, SqlSessionStore};
use workos_auth::testing::{AuthKit, Endpoint, Fault, Skew, TestUser, check_session_store};
use workos_auth::webhook::{Delivery, WebhookErrorKind, WebhookSecret};
use workos_auth::{
    AuthenticationResponse, Client, ConfidentialClient, EmailAddress, Error, ErrorKind, ExposeSecret, Password,
    SessionManager, SessionState,
};

use crate::server::Server;
use crate::sign_out;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn StdError + Send + Sync>>;

pub(crate) const AUTHENTICATE: Endpoint = Endpoint::Authenticate;
const PROCESSES: usize = 4;
const TASKS: usize = 250;
/// What a lock is leased for.
const LEASE: Duration = Duration::from_secs(10);

/// The store at an address, chosen while the program runs.
pub(crate) async fn open(address: &str) -> Outcome<BoxSessionStore> {
    let (kind, place) = address.split_once(':').ok_or("an address has a kind")?;
    Ok(match kind {
        "sqlite" | "postgres" => BoxSessionStore::new(open_sql(address).await?),
        "redis" | "rediss" => BoxSessionStore::new(RedisSessionStore::from_url(address)?),
        "cluster" => BoxSessionStore::new(RedisSessionStore::cluster(place.split(' '))?),
        "sentinel" => {
            BoxSessionStore::new(RedisSessionStore::sentinel(place.split(' '), crate::redis_sentinel::REDIS)?)
        }
        _ => return Err(format!("no store at {address}").into()),
    })
}

pub(crate) async fn open_sql(address: &str) -> Outcome<SqlSessionStore> {
    Ok(match address.split_once(':') {
        Some(("sqlite", file)) => SqlSessionStore::sqlite(sqlite_pool(Path::new(file), 4).await?),
        Some(("postgres", folder)) => SqlSessionStore::postgres(postgres_pool(folder, 4)),
        _ => return Err(format!("no SQL store at {address}").into()),
    })
}

pub(crate) async fn sqlite_pool(file: &Path, connections: u32) -> Outcome<sqlx::SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(3));
    Ok(SqlitePoolOptions::new().max_connections(connections).connect_with(options).await?)
}

pub(crate) fn postgres_options(folder: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass().host(folder).username("postgres").database("postgres")
}

pub(crate) fn postgres_pool(folder: &str, connections: u32) -> sqlx::PgPool {
    PgPoolOptions::new().max_connections(connections).connect_lazy_with(postgres_options(folder))
}

pub(crate) fn client(base_url: &str) -> Result<ConfidentialClient, Error> {
    Client::builder().client_id("client_test_authkit").api_key("sk_test_authkit").base_url(base_url).build()
}

fn user() -> TestUser {
    TestUser::new("ada@example.com").password("correct horse")
}

pub(crate) async fn authkit() -> Outcome<AuthKit> {
    Ok(AuthKit::builder().user(user()).start().await?)
}

pub(crate) async fn login(direct: &ConfidentialClient) -> Result<AuthenticationResponse, Error> {
    let grant =
        direct.authenticate_with_password(EmailAddress::new("ada@example.com")?, Password::new("correct horse"));
    Ok(grant.send().await?)
}

/// A login whose access token is from another time.
pub(crate) async fn expired(authkit: &AuthKit, direct: &ConfidentialClient) -> Outcome<AuthenticationResponse> {
    authkit.set_skew(Skew::Behind(Duration::from_secs(400)));
    let response = login(direct).await;
    authkit.set_skew(Skew::NONE);
    Ok(response?)
}

pub(crate) fn sources(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Everything that is traced while it is recorded, as text.
struct Traces;

static TRACES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static RECORDS: AtomicBool = AtomicBool::new(false);

impl Write for Traces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        TRACES.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Records what is traced, at all levels.
pub(crate) fn record() {
    static START: Once = Once::new();
    START.call_once(|| {
        let while_recorded = dynamic_filter_fn(|_, _| RECORDS.load(Ordering::SeqCst));
        let layer =
            tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Traces).with_filter(while_recorded);
        tracing_subscriber::registry().with(layer).init();
    });
    RECORDS.store(true, Ordering::SeqCst);
}

/// What was traced since [`record`].
pub(crate) fn recorded() -> String {
    RECORDS.store(false, Ordering::SeqCst);
    String::from_utf8_lossy(&std::mem::take(&mut *TRACES.lock().unwrap())).into_owned()
}

/// Another process of the application.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(work: &str, arguments: &[&str]) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(work)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or("no stdin")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut process = Self { child, stdin, stdout };
        process.answer()?;
        Ok(process)
    }

    fn ask(&mut self, tasks: usize, handle: &SessionHandle) -> Outcome {
        writeln!(self.stdin, "{tasks} {}", handle.expose_secret())?;
        Ok(self.stdin.flush()?)
    }

    pub(crate) fn answer(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        if line.is_empty() { Err("a process is gone".into()) } else { Ok(line.trim_end().to_owned()) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn say(line: &str) -> Outcome {
    println!("{line}");
    Ok(std::io::stdout().flush()?)
}

/// What a child does: a line in is how many tasks authenticate which session, a line out is what all of them got.
pub(crate) async fn authenticate(base_url: &str, address: &str) -> Outcome {
    let store = open(address).await?;
    // Connected, as a process is that runs for some time.
    store.load(&"0".repeat(64)).await?;
    let manager = SessionManager::new(client(base_url)?, store);
    say("ready")?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let (tasks, handle) = line.split_once(' ').ok_or("not understood")?;
        let mut group = JoinSet::new();
        for _ in 0..tasks.parse()? {
            let (manager, handle) = (manager.clone(), SessionHandle::new(handle));
            group.spawn(async move {
                // A busy machine may need longer than a store waits. A browser would ask again, too.
                for _ in 0..40 {
                    match manager.authenticate(&handle).await {
                        SessionState::Active(session) => return session.access_token().expose_secret().to_owned(),
                        SessionState::TemporarilyUnknown(_) => sleep(Duration::from_millis(100)).await,
                        other @ SessionState::SignedOut(_) => return format!("{other:?}"),
                    }
                }
                "unknown".to_owned()
            });
        }
        let results = group.join_all().await;
        let different: BTreeSet<String> = results.iter().cloned().collect();
        say(&format!("{} {}", results.len(), different.into_iter().collect::<Vec<_>>().join(" ")))?;
    }
    Ok(())
}

/// What a child does: it signs in over and over, and says each handle when the store has it.
pub(crate) async fn sign_in(base_url: &str, address: &str) -> Outcome {
    let direct = client(base_url)?;
    let manager = SessionManager::new(direct.clone(), open(address).await?);
    say("ready")?;
    loop {
        say(manager.sign_in(login(&direct).await?).await?.expose_secret())?;
    }
}

/// What a child does: it waits for its turn, and migrates.
pub(crate) async fn migrate(address: &str) -> Outcome {
    let store = open_sql(address).await?;
    say("ready")?;
    std::io::stdin().lines().next().transpose()?;
    store.migrate().await?;
    say("migrated")
}

pub(crate) async fn rules(address: &str) -> Outcome {
    check_session_store(open(address).await?).await?;
    println!("the store keeps every rule");
    webhooks(address).await
}

/// Each event is handled once, in all processes that share the store, and the session that it is about ends in all of them.
async fn webhooks(address: &str) -> Outcome {
    const DELIVERIES: usize = 16;
    let authkit = authkit().await?;
    let direct = client(authkit.base_url())?;
    let secret = WebhookSecret::new("secret-of-the-endpoint")?;
    let mut processes = Vec::new();
    for _ in 0..2 {
        let manager = SessionManager::new(client(authkit.base_url())?, open(address).await?);
        let webhooks = manager.webhooks("https://example.com/webhooks/workos", secret.clone());
        processes.push((manager, webhooks));
    }
    let handle = processes[0].0.sign_in(login(&direct).await?).await?;
    let session = processes[1].0.authenticate(&handle).await.active()?;
    let request = Arc::new(authkit.revoke_session(&secret, session.token().session_id().as_str())?);

    // The first handler is cancelled, and the second one fails. The event is free again each time.
    let never = processes[0].1.handle(request.headers(), request.body(), async |_| {
        std::future::pending::<()>().await;
        Ok::<_, Error>(())
    });
    if timeout(Duration::from_millis(500), never).await.is_ok() {
        return Err("a handler that never ends has ended".into());
    }
    sleep(Duration::from_millis(500)).await;
    let failing = async |_| Err::<(), _>("the handler fails");
    let failed = processes[1].1.handle(request.headers(), request.body(), failing).await.err().ok_or("handled")?;
    if failed.kind() != WebhookErrorKind::Handler {
        return Err(format!("after a handler that was cancelled: {failed:?}").into());
    }
    let mut tasks = JoinSet::new();
    for (manager, webhooks) in processes.iter().cycle().take(DELIVERIES) {
        let (manager, webhooks, request) = (manager.clone(), webhooks.clone(), Arc::clone(&request));
        tasks.spawn(async move {
            let apply = async |event| {
                sleep(Duration::from_millis(300)).await;
                manager.apply(&event).await
            };
            webhooks.handle(request.headers(), request.body(), apply).await
        });
    }
    let mut handled = Vec::new();
    for delivery in tasks.join_all().await {
        match delivery {
            Ok(Delivery::Handled(ended)) => handled.push(ended),
            Ok(Delivery::Repeated) => {}
            Err(error) if error.kind() == WebhookErrorKind::InProgress => {}
            Err(error) => return Err(error.into()),
        }
    }
    if handled != [1] {
        return Err(format!("{DELIVERIES} deliveries, and the handlers ended {handled:?} sessions").into());
    }
    for (manager, webhooks) in &processes {
        let again = webhooks.handle(request.headers(), request.body(), async |_| Ok::<_, Error>(())).await?;
        let state = manager.authenticate(&handle).await;
        if again != Delivery::Repeated || !matches!(state, SessionState::SignedOut(_)) {
            return Err(format!("after the webhook: {again:?}, {state:?}").into());
        }
    }
    println!("{DELIVERIES} deliveries of a webhook to two processes, and its session ended once");
    Ok(())
}

/// Everything that a store must do with one server, which isn't killed.
pub(crate) async fn together(address: &str) -> Outcome {
    let authkit = authkit().await?;
    rules(address).await?;
    one_refresh(&authkit, address).await?;
    killed_process(&authkit, address).await?;
    let processes = [client(authkit.base_url())?, client(authkit.base_url())?];
    let direct = client(authkit.base_url())?;
    sign_out::interleave(&processes, open(address).await?, async || expired(&authkit, &direct).await).await
}

pub(crate) async fn one_refresh(authkit: &AuthKit, address: &str) -> Outcome {
    let direct = client(authkit.base_url())?;
    let manager = SessionManager::new(direct.clone(), open(address).await?);
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(Process::start("--authenticate", &[authkit.base_url(), address])?);
    }
    let handle = manager.sign_in(expired(authkit, &direct).await?).await?;
    let before = authkit.requests_to(AUTHENTICATE);
    let start = Instant::now();
    for process in &mut processes {
        process.ask(TASKS, &handle)?;
    }
    let answers = block_in_place(|| processes.iter_mut().map(Process::answer).collect::<Outcome<Vec<_>>>())?;
    let (took, requests) = (start.elapsed(), authkit.requests_to(AUTHENTICATE) - before);
    let different: BTreeSet<&str> = answers.iter().map(String::as_str).collect();
    println!(
        "{PROCESSES} processes of {TASKS} tasks: {requests} refresh, {} different results, {took:.1?}",
        different.len()
    );
    let answer = answers.first().ok_or("no answer")?;
    let token = answer.strip_prefix("250 ").filter(|token| token.starts_with("eyJ") && !token.contains(' '));
    if requests == 1 && different.len() == 1 && token.is_some() { Ok(()) } else { Err(format!("{answers:?}").into()) }
}

async fn killed_process(authkit: &AuthKit, address: &str) -> Outcome {
    let direct = client(authkit.base_url())?;
    let manager = SessionManager::new(direct.clone(), open(address).await?);
    // It dies once before WorkOS has done anything, and once with a new pair that it never wrote.
    for fault in [Fault::Stall, Fault::Slow(Duration::from_mins(1))] {
        let start = || Process::start("--authenticate", &[authkit.base_url(), address]);
        let (mut victim, mut other) = (start()?, start()?);
        let handle = manager.sign_in(expired(authkit, &direct).await?).await?;
        let before = (authkit.requests_to(AUTHENTICATE), authkit.refreshes());
        authkit.inject(AUTHENTICATE, fault, 1);
        victim.ask(TASKS, &handle)?;
        while authkit.requests_to(AUTHENTICATE) == before.0 {
            sleep(Duration::from_millis(5)).await;
        }
        let start = Instant::now();
        other.ask(TASKS, &handle)?;
        sleep(Duration::from_millis(500)).await;
        victim.child.kill()?;
        victim.child.wait()?;
        let answer = block_in_place(|| other.answer())?;
        let (took, requests) = (start.elapsed(), authkit.requests_to(AUTHENTICATE) - before.0);
        let rotations = authkit.refreshes() - before.1;
        println!(
            "killed with the lock ({fault:?}): the others went on after {took:.1?}, {requests} requests, {rotations} rotation"
        );
        if !answer.starts_with("250 eyJ") || took > LEASE + Duration::from_secs(2) || requests != 2 || rotations != 1 {
            return Err(format!("after the kill: {answer}").into());
        }
        authkit.heal();
    }
    Ok(())
}

/// Processes that are killed while they sign in: every session that they said is there.
pub(crate) async fn killed_writers(address: &str) -> Outcome {
    const KILLS: u32 = 12;
    let authkit = authkit().await?;
    let manager = SessionManager::new(client(authkit.base_url())?, open(address).await?);
    let mut acknowledged = 0;
    for round in 0..KILLS {
        let mut process = Process::start("--sign-in", &[authkit.base_url(), address])?;
        let mut handles = vec![block_in_place(|| process.answer())?];
        sleep(Duration::from_millis(u64::from(round * 13 % 40))).await;
        process.child.kill()?;
        process.child.wait()?;
        handles.extend(std::iter::from_fn(|| process.answer().ok()));
        for handle in &handles {
            let state = manager.authenticate(&SessionHandle::new(handle.as_str())).await;
            if !matches!(state, SessionState::Active(_)) {
                return Err(format!("acknowledged by a killed process: {state:?}").into());
            }
        }
        acknowledged += handles.len();
    }
    println!("{KILLS} processes killed while they signed in: {acknowledged} sessions acknowledged and none lost");
    Ok(())
}

/// Signs users in and refreshes their sessions while a server is killed and comes back, `kills` times.
pub(crate) async fn killed_server(mut server: impl Server, kills: u32) -> Outcome {
    const SESSIONS: usize = 40;
    // Tokens so short that each session is refreshed over and over.
    let authkit = AuthKit::builder().user(user()).access_token_lifetime(Duration::from_secs(3)).start().await?;
    let direct = client(authkit.base_url())?;
    let mut managers = Vec::new();
    for _ in 0..2 {
        managers.push(SessionManager::new(client(authkit.base_url())?, open(&server.address()).await?));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    let mut handles = Vec::new();
    for session in 0..SESSIONS {
        handles.push(managers[session % 2].sign_in(login(&direct).await?).await?);
    }
    for (number, manager) in managers.iter().cycle().take(2 * SESSIONS).enumerate() {
        let handle = SessionHandle::new(handles[number / 2].expose_secret());
        let (manager, stop, direct) = (manager.clone(), Arc::clone(&stop), direct.clone());
        tasks.spawn(async move {
            let (mut active, mut unknown, mut acknowledged) = (0_u32, 0_u32, Vec::new());
            while !stop.load(Ordering::SeqCst) {
                match manager.authenticate(&handle).await {
                    SessionState::Active(_) => active += 1,
                    SessionState::TemporarilyUnknown(error)
                        if matches!(error.kind(), ErrorKind::Store | ErrorKind::Timeout) =>
                    {
                        unknown += 1;
                    }
                    other => return Err(format!("session {number}: {other:?}")),
                }
                // Some sign in meanwhile: what was acknowledged must not be lost either.
                if number % 8 == 0
                    && let Ok(response) = login(&direct).await
                    && let Ok(handle) = manager.sign_in(response).await
                {
                    acknowledged.push(handle);
                }
                sleep(Duration::from_millis(100)).await;
            }
            Ok((active, unknown, acknowledged))
        });
    }
    for _ in 0..kills {
        sleep(Duration::from_secs(2)).await;
        server.kill()?;
        sleep(Duration::from_secs(1)).await;
        block_in_place(|| server.restart())?;
    }
    sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::SeqCst);
    let (mut active, mut unknown) = (0, 0);
    while let Some(task) = tasks.join_next().await {
        let (was_active, was_unknown, acknowledged) = task??;
        active += was_active;
        unknown += was_unknown;
        handles.extend(acknowledged);
    }
    let fresh = SessionManager::new(client(authkit.base_url())?, open(&server.address()).await?);
    for (number, handle) in handles.iter().enumerate() {
        let state = fresh.authenticate(handle).await;
        if !matches!(state, SessionState::Active(_)) {
            return Err(format!("acknowledged session {number} after the restarts: {state:?}").into());
        }
    }
    println!(
        "the server killed {kills} times: {active} active, {unknown} unknown, {} sessions acknowledged and none lost, {} refreshes",
        handles.len(),
        authkit.refreshes()
    );
    if unknown == 0 || handles.len() == SESSIONS { Err("nobody noticed: this tests nothing".into()) } else { Ok(()) }
}

/// A store that answers with an error doesn't know whether anybody is signed in.
pub(crate) async fn is_unknown(store: BoxSessionStore, told: &str) -> Outcome {
    let manager = SessionManager::new(client("http://127.0.0.1:9")?, store);
    let state = manager.authenticate(&SessionHandle::new("handle")).await;
    let SessionState::TemporarilyUnknown(error) = &state else { return Err(format!("{told}: {state:?}").into()) };
    let text = format!("{} {manager:?} {state:?}", sources(error));
    if !text.contains(told) || text.contains("hunter2") {
        return Err(format!("instead of `{told}`: {text}").into());
    }
    println!("temporarily unknown: {}", sources(error));
    Ok(())
}
