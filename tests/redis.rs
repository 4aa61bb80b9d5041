//! Sessions in a real Redis: several processes, a process that is killed, a Redis that is killed.
//!
//! It needs Debian's `redis-server`, so it runs where `WORKOS_REDIS` is set, and there it must run.

#[path = "it/support/authority.rs"]
mod authority;
#[path = "it/support/sign_out.rs"]
mod sign_out;

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use authority::{Authority, Certificate, Period, self_signed};
use redis::TlsCertificates;
use redis::aio::ConnectionManager;
use tokio::task::JoinSet;
use tokio::time::sleep;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{RedisSessionStore, SessionStore};
use workos_auth::testing::{AuthKit, Fault, Skew, TestUser, check_session_store};
use workos_auth::{
    AuthenticationResponse, Client, ConfidentialClient, EmailAddress, Error, ErrorKind, ExposeSecret, Password,
    SessionManager, SessionState,
};

type Outcome<T = ()> = Result<T, Box<dyn StdError + Send + Sync>>;

const AUTHENTICATE: &str = "/user_management/authenticate";
const PROCESSES: usize = 4;
const TASKS: usize = 250;
/// What a lock is leased for.
const LEASE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let child = arguments.iter().position(|argument| argument == "--child" || argument == "--over-tls");
    if child.is_none() && std::env::var_os("WORKOS_REDIS").is_none() {
        println!("SKIPPED: set WORKOS_REDIS where redis-server is installed");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| match child {
        Some(at) if arguments[at] == "--over-tls" => runtime.block_on(over_tls(&arguments[at + 1])),
        Some(at) => runtime.block_on(work(&arguments[at + 1], &arguments[at + 2])),
        None => runtime.block_on(run()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redis failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The warnings that were traced, as text.
struct Warnings;

static WARNINGS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        WARNINGS.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn warnings() -> String {
    String::from_utf8_lossy(&WARNINGS.lock().unwrap()).into_owned()
}

async fn run() -> Outcome {
    let warnings = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(|| Warnings);
    tracing::subscriber::set_global_default(warnings.finish())?;
    let authkit = AuthKit::builder().user(TestUser::new("ada@example.com").password("correct horse")).start().await?;
    let redis = Redis::start()?;
    check_session_store(RedisSessionStore::from_url(&redis.url())?).await?;
    println!("the store keeps every rule");
    unreachable_redis().await?;
    tls().await?;
    full_redis(&authkit, &redis).await?;
    one_refresh(&authkit, &redis).await?;
    killed_process(&authkit, &redis).await?;
    let processes = [client(authkit.base_url())?, client(authkit.base_url())?];
    let direct = client(authkit.base_url())?;
    sign_out::interleave(&processes, RedisSessionStore::from_url(&redis.url())?, async || {
        expired(&authkit, &direct).await
    })
    .await?;
    killed_redis(redis).await
}

fn client(base_url: &str) -> Result<ConfidentialClient, Error> {
    Client::builder().client_id("client_test_authkit").api_key("sk_test_authkit").base_url(base_url).build()
}

async fn login(direct: &ConfidentialClient) -> Result<AuthenticationResponse, Error> {
    let grant =
        direct.authenticate_with_password(EmailAddress::new("ada@example.com")?, Password::new("correct horse"));
    Ok(grant.send().await?)
}

/// A login whose access token is from another time.
async fn expired(authkit: &AuthKit, direct: &ConfidentialClient) -> Outcome<AuthenticationResponse> {
    authkit.set_skew(Skew::Behind(Duration::from_secs(400)));
    let response = login(direct).await;
    authkit.set_skew(Skew::NONE);
    Ok(response?)
}

/// A Redis that forgets nothing it has acknowledged, on a free port of this machine.
struct Redis {
    server: Child,
    port: u16,
    directory: PathBuf,
}

impl Redis {
    fn start() -> Outcome<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let directory = std::env::temp_dir().join(format!("workos-auth-redis-{port}"));
        fs::create_dir_all(&directory)?;
        let server = Self::serve(port, &directory, &["--port", &port.to_string()])?;
        Ok(Self { server, port, directory })
    }

    /// One that speaks TLS and nothing else.
    fn start_tls(certificate: &Certificate, protocols: &str) -> Outcome<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let directory = std::env::temp_dir().join(format!("workos-auth-redis-{port}"));
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("chain.pem"), &certificate.chain)?;
        fs::write(directory.join("key.pem"), &certificate.key)?;
        let tls =
            ["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no", "--tls-protocols", protocols];
        let files = ["--tls-cert-file", "chain.pem", "--tls-key-file", "key.pem"];
        let server = Self::serve(port, &directory, &[tls.as_slice(), files.as_slice()].concat())?;
        Ok(Self { server, port, directory })
    }

    fn serve(port: u16, directory: &Path, listen: &[&str]) -> Outcome<Child> {
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(directory)
            .args(listen)
            .current_dir(directory)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server: {error}"))?;
        let patience = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > patience {
                return Err("redis-server does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// How much it may keep; 0 is without bounds.
    fn set_memory(&self, bytes: usize) -> Outcome {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        write!(stream, "CONFIG SET maxmemory-policy noeviction\r\nCONFIG SET maxmemory {bytes}\r\n")?;
        let mut answer = [0; 10];
        stream.read_exact(&mut answer)?;
        if &answer == b"+OK\r\n+OK\r\n" { Ok(()) } else { Err("Redis refused to be configured".into()) }
    }

    fn kill(&mut self) -> Outcome {
        self.server.kill()?;
        self.server.wait()?;
        Ok(())
    }

    fn restart(&mut self) -> Outcome {
        self.server = Self::serve(self.port, &self.directory, &["--port", &self.port.to_string()])?;
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.kill());
        drop(fs::remove_dir_all(&self.directory));
    }
}

/// Another process of the application.
struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(authkit: &AuthKit, redis: &Redis) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--child", authkit.base_url(), &redis.url()])
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

    fn answer(&mut self) -> Outcome<String> {
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

/// What a child does: a line in is how many tasks authenticate which session, a line out is what all of them got.
async fn work(base_url: &str, redis_url: &str) -> Outcome {
    let manager = SessionManager::new(client(base_url)?, RedisSessionStore::from_url(redis_url)?);
    say("ready")?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let (tasks, handle) = line.split_once(' ').ok_or("not understood")?;
        let mut group = JoinSet::new();
        for _ in 0..tasks.parse()? {
            let (manager, handle) = (manager.clone(), SessionHandle::new(handle));
            group.spawn(async move {
                match manager.authenticate(&handle).await {
                    SessionState::Active(session) => session.access_token().expose_secret().to_owned(),
                    other => format!("{other:?}"),
                }
            });
        }
        let results = group.join_all().await;
        let different: BTreeSet<String> = results.iter().cloned().collect();
        say(&format!("{} {}", results.len(), different.into_iter().collect::<Vec<_>>().join(" ")))?;
    }
    Ok(())
}

fn say(line: &str) -> Outcome {
    println!("{line}");
    Ok(std::io::stdout().flush()?)
}

/// Nothing of an address gets into an error.
async fn unreachable_redis() -> Outcome {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let store = RedisSessionStore::from_url(&format!("redis://user:hunter2@127.0.0.1:{port}/"))?;
    let manager = SessionManager::new(client("http://127.0.0.1:9")?, store);
    let state = manager.authenticate(&SessionHandle::new("handle")).await;
    let SessionState::TemporarilyUnknown(error) = &state else { return Err(format!("unreachable: {state:?}").into()) };
    let text = format!("{state:?} {manager:?} {}", error.source().map(ToString::to_string).unwrap_or_default());
    let told = matches!(error.kind(), ErrorKind::Store) && text.contains("Redis can't be reached");
    if told && !text.contains("hunter2") { Ok(()) } else { Err(format!("an error told {text}").into()) }
}

/// A process that reaches Redis over TLS; it trusts who is in `SSL_CERT_FILE`.
async fn over_tls(url: &str) -> Outcome {
    let outcome = async {
        let store = RedisSessionStore::from_url(url).map_err(|error| format!("{:?}: {error}", error.kind()))?;
        store.load("key").await.map_err(|error| format!("{:?}: {error}", error.kind()))?;
        check_session_store(store).await.map_err(|error| error.to_string())
    };
    let outcome: Result<(), String> = outcome.await;
    say(&outcome.map_or_else(|error| error, |()| "the store keeps every rule".to_owned()))
}

/// What a process that trusts these authorities says of a Redis.
fn told(redis: &Redis, host: &str, authorities: &str) -> Outcome<String> {
    let file = redis.directory.join("authorities.pem");
    fs::write(&file, authorities)?;
    let url = format!("rediss://{host}:{}/", redis.port);
    let output = Command::new(std::env::current_exe()?)
        .args(["--over-tls", &url])
        .env("SSL_CERT_FILE", &file)
        .env_remove("SSL_CERT_DIR")
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Who is trusted over TLS, and who isn't.
async fn tls() -> Outcome {
    const MODERN: &str = "TLSv1.2 TLSv1.3";
    let (authority, stranger) = (Authority::new("the authority")?, Authority::new("a stranger")?);
    let good = authority.certify("localhost", Period::Now)?;
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let redis = Redis::start_tls(&good, protocols)?;
        let text = told(&redis, "localhost", &authority.pem)?;
        if text != "the store keeps every rule" {
            return Err(format!("over {protocols}: {text}").into());
        }
        // An authority for this connection only.
        let trusted = TlsCertificates { client_tls: None, root_cert: Some(authority.pem.clone().into_bytes()) };
        let client = redis::Client::build_with_tls(format!("rediss://localhost:{}/", redis.port), trusted)?;
        check_session_store(RedisSessionStore::new(ConnectionManager::new(client).await?)).await?;
    }
    println!("the store keeps every rule over TLS");
    let (refused, version) = ("InvalidData: no secure connection", "TLS 1.2 or later");
    for (fault, certificate, protocols, host, authorities, expected) in [
        ("an unknown authority", &good, MODERN, "localhost", stranger.pem.as_str(), ["UnknownIssuer", refused]),
        ("another name", &good, MODERN, "127.0.0.1", &authority.pem, ["not valid for name", refused]),
        (
            "the past",
            &authority.certify("localhost", Period::Past)?,
            MODERN,
            "localhost",
            &authority.pem,
            ["certificate expired", refused],
        ),
        ("itself", &self_signed("localhost")?, MODERN, "localhost", &authority.pem, ["UnknownIssuer", refused]),
        ("TLS 1.1", &good, "TLSv1.1", "localhost", &authority.pem, [version, refused]),
        ("no authorities", &good, MODERN, "localhost", "", ["NoAuthorities", "ca-certificates"]),
    ] {
        let redis = Redis::start_tls(certificate, protocols)?;
        let text = told(&redis, &format!(":hunter2@{host}"), authorities)?;
        if !expected.iter().all(|part| text.contains(part)) || text.contains("hunter2") {
            return Err(format!("{fault}: {text}").into());
        }
        println!("refused ({fault}): {text}");
    }
    Ok(())
}

/// A Redis without memory: nobody can sign in, and everybody can sign out.
async fn full_redis(authkit: &AuthKit, redis: &Redis) -> Outcome {
    let direct = client(authkit.base_url())?;
    let manager = SessionManager::new(direct.clone(), RedisSessionStore::from_url(&redis.url())?);
    let other = SessionManager::new(client(authkit.base_url())?, RedisSessionStore::from_url(&redis.url())?);
    let idle = manager.sign_in(login(&direct).await?).await?;
    let renewed = manager.sign_in(expired(authkit, &direct).await?).await?;

    // A refresh is under way, with a new pair that it will want to write.
    let before = authkit.requests_to(AUTHENTICATE);
    authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_secs(1)), 1);
    let late = SessionHandle::new(renewed.expose_secret());
    let late = tokio::spawn(async move { other.authenticate(&late).await });
    while authkit.requests_to(AUTHENTICATE) == before {
        sleep(Duration::from_millis(5)).await;
    }
    redis.set_memory(1)?;
    if warnings().contains("tombstone") {
        return Err("a warning without a reason".into());
    }
    for handle in [&idle, &renewed] {
        manager.sign_out(handle, None).await.map_err(|error| format!("{error}: {:?}", error.source()))?;
    }
    // It says so.
    let said = warnings();
    if said.matches("deleted without a tombstone").count() != 2 || !said.contains("Redis has no memory left") {
        return Err(format!("the warnings are {said}").into());
    }
    let error = manager.sign_in(login(&direct).await?).await.err().ok_or("a full Redis took a session")?;
    let source = error.error().source().map(ToString::to_string).unwrap_or_default();
    if !source.contains("no memory") {
        return Err(format!("of a full Redis: {error:?}").into());
    }
    redis.set_memory(0)?;
    let late = late.await?;
    authkit.heal();
    for handle in [&idle, &renewed] {
        let state = manager.authenticate(handle).await;
        if !matches!(state, SessionState::SignedOut(_)) {
            return Err(format!("signed out of a full Redis: {state:?}, and {late:?}").into());
        }
    }
    println!("a full Redis: no new session, and a sign-out stays, whatever comes late");
    Ok(())
}

async fn one_refresh(authkit: &AuthKit, redis: &Redis) -> Outcome {
    let direct = client(authkit.base_url())?;
    let manager = SessionManager::new(direct.clone(), RedisSessionStore::from_url(&redis.url())?);
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(Process::start(authkit, redis)?);
    }
    let handle = manager.sign_in(expired(authkit, &direct).await?).await?;
    let before = authkit.requests_to(AUTHENTICATE);
    for process in &mut processes {
        process.ask(TASKS, &handle)?;
    }
    let answers =
        tokio::task::block_in_place(|| processes.iter_mut().map(Process::answer).collect::<Outcome<Vec<_>>>())?;
    let requests = authkit.requests_to(AUTHENTICATE) - before;
    let different: BTreeSet<&str> = answers.iter().map(String::as_str).collect();
    println!("{PROCESSES} processes of {TASKS} tasks: {requests} refresh, {} different results", different.len());
    let answer = answers.first().ok_or("no answer")?;
    let token = answer.strip_prefix("250 ").filter(|token| token.starts_with("eyJ") && !token.contains(' '));
    if requests == 1 && different.len() == 1 && token.is_some() { Ok(()) } else { Err(format!("{answers:?}").into()) }
}

async fn killed_process(authkit: &AuthKit, redis: &Redis) -> Outcome {
    let direct = client(authkit.base_url())?;
    let manager = SessionManager::new(direct.clone(), RedisSessionStore::from_url(&redis.url())?);
    // It dies once before WorkOS has done anything, and once with a new pair that it never wrote.
    for fault in [Fault::Stall, Fault::Slow(Duration::from_secs(60))] {
        let (mut victim, mut other) = (Process::start(authkit, redis)?, Process::start(authkit, redis)?);
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
        let answer = tokio::task::block_in_place(|| other.answer())?;
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

async fn killed_redis(mut redis: Redis) -> Outcome {
    const SESSIONS: usize = 40;
    // Tokens so short that each session is refreshed over and over.
    let ada = TestUser::new("ada@example.com").password("correct horse");
    let authkit = AuthKit::builder().user(ada).access_token_lifetime(Duration::from_secs(3)).start().await?;
    let direct = client(authkit.base_url())?;
    let mut managers = Vec::new();
    for _ in 0..2 {
        managers.push(SessionManager::new(client(authkit.base_url())?, RedisSessionStore::from_url(&redis.url())?));
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
                    SessionState::TemporarilyUnknown(error) if matches!(error.kind(), ErrorKind::Store) => unknown += 1,
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
    for _ in 0..3 {
        sleep(Duration::from_secs(2)).await;
        redis.kill()?;
        sleep(Duration::from_secs(1)).await;
        tokio::task::block_in_place(|| redis.restart())?;
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
    let fresh = SessionManager::new(client(authkit.base_url())?, RedisSessionStore::from_url(&redis.url())?);
    for (number, handle) in handles.iter().enumerate() {
        let state = fresh.authenticate(handle).await;
        if !matches!(state, SessionState::Active(_)) {
            return Err(format!("acknowledged session {number} after the restarts: {state:?}").into());
        }
    }
    println!(
        "Redis killed 3 times: {active} active, {unknown} unknown, {} sessions acknowledged and none lost, {} refreshes",
        handles.len(),
        authkit.refreshes()
    );
    if unknown == 0 || handles.len() == SESSIONS { Err("nobody noticed: this tests nothing".into()) } else { Ok(()) }
}
