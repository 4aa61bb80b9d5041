//! Sessions in Redis.

use std::fmt;
use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::io::tcp::TcpSettings;
use ::redis::{Client, Cmd, IntoConnectionInfo, RedisError, Script, ScriptInvocation};

use super::{SessionStore, StoredSession};
use crate::error::Error;

const PREFIX: &str = "workos-auth:";
const CONNECT: Duration = Duration::from_secs(2);
const RESPOND: Duration = Duration::from_secs(2);
/// How long what was sent may go without an acknowledgement.
const SILENCE: Duration = Duration::from_secs(5);
/// Between two attempts to connect, so that a store that is back is found at once.
const RECONNECT: Duration = Duration::from_millis(100);

/// `L`, the version, a colon, the sealed session; or a tombstone.
const TOMBSTONE: &str = "E";

static REPLACE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local held = redis.call('GET', KEYS[1])
         if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
         redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
         return 1",
    )
});

static UNLOCK: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1")
});

/// Keeps sessions in Redis, 6 or later: each in a string that expires with it, replaced by script.
///
/// One connection carries the requests of all tasks, and is made again when it is lost; meanwhile the answer is an error, and
/// nobody is signed out. A Redis that forgets what it has acknowledged loses sessions: switch on `appendonly`, with
/// `appendfsync always` if none may be lost, and no eviction (`maxmemory-policy noeviction`).
///
/// ```no_run
/// # async fn run(client: workos_auth::ConfidentialClient) -> Result<(), workos_auth::Error> {
/// use workos_auth::{RedisSessionStore, SessionManager};
///
/// let sessions = SessionManager::new(client, RedisSessionStore::connect("redis://127.0.0.1/")?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisSessionStore {
    connection: ConnectionManager,
    prefix: String,
}

impl RedisSessionStore {
    /// A store at an address such as `redis://127.0.0.1:6379/0`. It connects with the first request; a connection and a reply
    /// may take two seconds each. On Linux, a connection that goes silent is given up after five seconds, elsewhere when the
    /// operating system does. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `redis_url`.
    pub fn connect(url: &str) -> Result<Self, Error> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(RESPOND))
            .set_min_delay(RECONNECT)
            .set_max_delay(RECONNECT)
            .set_number_of_retries(1);
        let refuse = |_| Error::invalid_value("redis_url", "is no address of a Redis");
        let address = url.into_connection_info().map_err(refuse)?;
        let client = Client::open(address.set_tcp_settings(tcp())).map_err(refuse)?;
        Ok(Self::new(ConnectionManager::new_lazy_with_config(client, config).map_err(refuse)?))
    }

    /// A store on a connection that the application has made, with TLS or timeouts of its own.
    #[must_use]
    pub fn new(connection: ConnectionManager) -> Self {
        Self { connection, prefix: PREFIX.to_owned() }
    }

    /// What keys begin with; `workos-auth:` unless given.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    fn session(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn lock(&self, key: &str) -> String {
        format!("{}{key}:lock", self.prefix)
    }

    /// `SET … NX PX`: `OK`, or nothing.
    async fn set_new(&self, key: String, value: String, time: Duration) -> io::Result<bool> {
        let mut command = Cmd::new();
        command.arg("SET").arg(key).arg(value).arg("NX").arg("PX").arg(milliseconds(time));
        let set: Option<String> = command.query_async(&mut self.connection.clone()).await.map_err(failed)?;
        Ok(set.is_some())
    }

    async fn invoke(&self, script: &ScriptInvocation<'_>) -> io::Result<bool> {
        let done: u8 = script.invoke_async(&mut self.connection.clone()).await.map_err(failed)?;
        Ok(done == 1)
    }
}

/// A connection whose other end is gone without a word is given up, where the operating system can do that.
fn tcp() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(SILENCE);
    settings
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 52)
}

fn live(version: u64) -> String {
    format!("L{version}:")
}

fn parse(value: &str) -> io::Result<StoredSession> {
    if value == TOMBSTONE {
        return Ok(StoredSession::Ended);
    }
    let (version, sealed) =
        value.strip_prefix('L').and_then(|value| value.split_once(':')).ok_or(io::ErrorKind::InvalidData)?;
    let version = version.parse().map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(StoredSession::Live { version, sealed: sealed.to_owned() })
}

/// The library's own words may hold the address, its password and values.
fn failed(error: RedisError) -> io::Error {
    if error.is_timeout() {
        io::Error::new(io::ErrorKind::TimedOut, "Redis did not answer in time")
    } else if error.is_connection_refusal() {
        io::Error::new(io::ErrorKind::ConnectionRefused, "Redis can't be reached")
    } else if error.is_connection_dropped() || error.is_io_error() {
        io::Error::new(io::ErrorKind::ConnectionReset, "the connection to Redis was lost")
    } else {
        io::Error::other("Redis refused the command")
    }
}

impl SessionStore for RedisSessionStore {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        let mut command = Cmd::new();
        command.arg("GET").arg(self.session(key));
        let value: Option<String> = command.query_async(&mut self.connection.clone()).await.map_err(failed)?;
        value.as_deref().map(parse).transpose()
    }

    async fn create(&self, key: &str, sealed: &str, lifetime: Duration) -> io::Result<bool> {
        self.set_new(self.session(key), live(1) + sealed, lifetime).await
    }

    async fn replace(&self, key: &str, version: u64, sealed: &str, lifetime: Duration) -> io::Result<bool> {
        let script = &REPLACE;
        let mut script = script.key(self.session(key));
        script.arg(live(version)).arg(live(version + 1) + sealed).arg(milliseconds(lifetime));
        self.invoke(&script).await
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        let mut command = Cmd::new();
        command.arg("SET").arg(self.session(key)).arg(TOMBSTONE).arg("PX").arg(milliseconds(tombstone));
        command.query_async(&mut self.connection.clone()).await.map_err(failed)
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        self.set_new(self.lock(key), owner.to_owned(), lease).await
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        let mut script = UNLOCK.key(self.lock(key));
        script.arg(owner);
        self.invoke(&script).await.map(drop)
    }
}

impl fmt::Debug for RedisSessionStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RedisSessionStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
