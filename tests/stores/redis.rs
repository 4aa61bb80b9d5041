//! Redis: one server, over TLS too, one that is full, and one that is killed.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use redis::TlsCertificates;
use redis::aio::ConnectionManager;
use tokio::time::sleep;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{BoxSessionStore, RedisSessionStore, SessionIndex, SessionStore};
use workos_auth::testing::{AuthKit, Fault, check_session_store};
use workos_auth::{ExposeSecret, SessionManager, SessionState};

use crate::authority::{Authority, Certificate, Period, self_signed};
use crate::common::{self, AUTHENTICATE, Outcome, client, expired, login, record, recorded, say, sources};
use crate::server::{Folder, Process, Server, eventually, free_port, listens, output};
use crate::sql::random_hash;

const LONG: Duration = Duration::from_hours(1);

pub(crate) async fn run() -> Outcome {
    let redis = Redis::start()?;
    unreachable().await?;
    tls().await?;
    full_redis(&common::authkit().await?, &redis).await?;
    lists(&redis).await?;
    far_away(&redis).await?;
    common::together(&redis.address()).await?;
    common::killed_server(redis, 3).await
}

/// A Redis that forgets nothing it has acknowledged, on a free port of this machine.
pub(crate) struct Redis {
    server: Process,
    folder: Folder,
    pub(crate) port: u16,
    settings: Vec<String>,
}

impl Redis {
    pub(crate) fn start() -> Outcome<Self> {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(settings: &[&str]) -> Outcome<Self> {
        let port = free_port()?;
        Self::serve(port, [&["--port", &port.to_string()], settings].concat())
    }

    /// One that speaks TLS and nothing else.
    fn start_tls(certificate: &Certificate, protocols: &str) -> Outcome<Self> {
        let port = free_port()?;
        let folder = Folder::new(&format!("redis-{port}-tls"))?;
        let [chain, key] = ["chain.pem", "key.pem"].map(|name| folder.0.join(name).display().to_string());
        fs::write(&chain, &certificate.chain)?;
        fs::write(&key, &certificate.key)?;
        let tls =
            ["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no", "--tls-protocols", protocols];
        Self::serve(port, [tls.as_slice(), &["--tls-cert-file", &chain, "--tls-key-file", &key]].concat())
    }

    fn serve(port: u16, settings: Vec<&str>) -> Outcome<Self> {
        let folder = Folder::new(&format!("redis-{port}"))?;
        let settings: Vec<String> = settings.into_iter().map(str::to_owned).collect();
        let server = Process::spawn(&mut command(&folder, &settings))?;
        eventually("redis-server listens", || listens(port))?;
        Ok(Self { server, folder, port, settings })
    }

    /// How much it may keep; 0 is without bounds.
    fn set_memory(&self, bytes: usize) -> Outcome {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        write!(stream, "CONFIG SET maxmemory-policy noeviction\r\nCONFIG SET maxmemory {bytes}\r\n")?;
        let mut answer = [0; 10];
        stream.read_exact(&mut answer)?;
        if &answer == b"+OK\r\n+OK\r\n" { Ok(()) } else { Err("Redis refused to be configured".into()) }
    }

    pub(crate) fn process(&self) -> u32 {
        self.server.0.id()
    }

    /// What `redis-cli` says.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Outcome<String> {
        output(Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments))
    }
}

fn command(folder: &Folder, settings: &[String]) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(&folder.0);
    command.args(settings).current_dir(&folder.0).stdout(Stdio::null());
    command
}

impl Server for Redis {
    fn address(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    fn kill(&mut self) -> Outcome {
        self.server.kill()
    }

    fn restart(&mut self) -> Outcome {
        self.server = Process::spawn(&mut command(&self.folder, &self.settings))?;
        eventually("redis-server listens", || listens(self.port))
    }
}

/// Nothing of an address gets into an error.
async fn unreachable() -> Outcome {
    let store = RedisSessionStore::from_url(&format!("redis://user:hunter2@127.0.0.1:{}/", free_port()?))?;
    common::is_unknown(BoxSessionStore::new(store), "Redis can't be reached").await
}

/// A process that reaches Redis over TLS; it trusts who is in `SSL_CERT_FILE`.
pub(crate) async fn over_tls(url: &str) -> Outcome {
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
    let file = redis.folder.0.join("authorities.pem");
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

/// A key whose session has ended is on no list.
async fn lists(redis: &Redis) -> Outcome {
    let store = RedisSessionStore::from_url(&redis.address())?;
    let (key, other) = (random_hash()?, random_hash()?);
    let index = SessionIndex::new(random_hash()?, random_hash()?);
    let listed = || -> Outcome<String> {
        let of = |hash: &str| redis.ask(&["zcard", &format!("workos-auth:{hash}:keys")]);
        Ok(format!("{} {}", of(&index.user)?.trim(), of(&index.session)?.trim()))
    };
    let list = |key: &str| redis.ask(&["zadd", &format!("workos-auth:{}:keys", index.user), "9999999999999", key]);
    store.create(&key, "sealed", &index, LONG).await?;
    store.remove(&key, LONG).await?;
    // A refresh comes late.
    if store.replace(&key, 1, "late", &index, LONG).await? || listed()? != "0 0" {
        return Err(format!("after a late refresh: {}", listed()?).into());
    }
    // One that died meanwhile.
    list(&key)?;
    if !store.find(&index.user, 10).await?.is_empty() || listed()? != "0 0" {
        return Err(format!("after a late refresh that died: {}", listed()?).into());
    }
    // One that is listed, and about to be written.
    list(&other)?;
    if !store.find(&index.user, 10).await?.is_empty() || listed()? != "1 0" {
        return Err(format!("during a sign-in: {}", listed()?).into());
    }
    println!("ended sessions are on no list");
    Ok(())
}

/// Sessions of one user in a Redis that is far away: nobody waits for one answer after the other.
async fn far_away(redis: &Redis) -> Outcome {
    const SESSIONS: usize = 300;
    const DELAY: Duration = Duration::from_millis(10);
    let store = RedisSessionStore::from_url(&redis.address())?;
    let user = random_hash()?;
    for _ in 0..SESSIONS {
        let index = SessionIndex::new(user.clone(), random_hash()?);
        store.create(&random_hash()?, "sealed", &index, LONG).await?;
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (near, far) = (listener.local_addr()?.port(), redis.port);
    thread::spawn(move || -> std::io::Result<()> {
        for here in listener.incoming() {
            let (here, there) = (here?, TcpStream::connect(("127.0.0.1", far))?);
            for (mut from, mut to) in [(here.try_clone()?, there.try_clone()?), (there, here)] {
                thread::spawn(move || {
                    let mut bytes = vec![0; 65_536];
                    while let Ok(length @ 1..) = from.read(&mut bytes) {
                        thread::sleep(DELAY);
                        if to.write_all(&bytes[..length]).is_err() {
                            break;
                        }
                    }
                });
            }
        }
        Ok(())
    });
    let distant = RedisSessionStore::from_url(&format!("redis://127.0.0.1:{near}/"))?;
    let start = Instant::now();
    let found = distant.find(&user, SESSIONS).await?.len();
    let took = start.elapsed();
    if found != SESSIONS || took > Duration::from_millis(1_500) {
        return Err(format!("far away, {found} sessions were found after {took:?}").into());
    }
    println!("{SESSIONS} sessions are found within {took:.1?} in a Redis that is {DELAY:?} away");
    Ok(())
}

/// A Redis without memory: nobody can sign in, and everybody can sign out.
async fn full_redis(authkit: &AuthKit, redis: &Redis) -> Outcome {
    let direct = client(authkit.base_url())?;
    let manager = SessionManager::new(direct.clone(), RedisSessionStore::from_url(&redis.address())?);
    let other = SessionManager::new(client(authkit.base_url())?, RedisSessionStore::from_url(&redis.address())?);
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
    record();
    redis.set_memory(1)?;
    for handle in [&idle, &renewed] {
        manager.sign_out(handle, None).await.map_err(|error| sources(&error))?;
    }
    // It says so.
    let said = recorded();
    if said.matches("deleted without a tombstone").count() != 2 || !said.contains("Redis has no memory left") {
        return Err(format!("the warnings are {said}").into());
    }
    let error = manager.sign_in(login(&direct).await?).await.err().ok_or("a full Redis took a session")?;
    if !sources(error.error()).contains("no memory") {
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
