//! Sessions in Redis.

mod connection;
#[cfg(feature = "redis-sentinel")]
mod sentinel;

use std::fmt;
use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, RedisResult,
    ServerErrorKind, ToRedisArgs,
};
use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use tokio::task::JoinSet;

use self::connection::Connection;
use super::{SessionIndex, SessionStore, StoredSession};
use crate::error::Error;
#[cfg(feature = "redis-tls")]
use crate::transport::tls;
use crate::wire;

const KEY_PREFIX: &str = "workos-auth:";
const REDIS_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const REDIS_REPLY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long sent data may go without an acknowledgement.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a cluster is asked, while its nodes move keys or one of them is gone.
#[cfg(feature = "redis-cluster")]
const CLUSTER_RETRIES: u32 = 3;
/// Between two attempts to connect. It is short, so that a Redis that is available again is found at once.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// A session's value is `L`, the version, the user's hash, the session's hash, the sealed session, with colons in between. This is the
/// value of a tombstone.
const TOMBSTONE_VALUE: &str = "E";
/// The last byte that can belong to what is before the sealed session: a version has up to 20 digits, a hash 64.
const LAST_OF_HEAD: usize = 1 + 20 + 1 + 64 + 1 + 64;
/// How much longer a key stays listed than its session lives: the nodes of a cluster have clocks of their own.
const LISTED_LONGER: Duration = Duration::from_secs(3_600);
/// How many keys one reply lists, about.
const KEYS_PER_REPLY: usize = 128;

/// A script that uses one key.
struct Script {
    code: &'static str,
    hash: String,
}

impl Script {
    fn new(code: &'static str) -> Self {
        Self { code, hash: wire::hex(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, code.as_bytes()).as_ref()) }
    }
}

static REPLACE_SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local held = redis.call('GET', KEYS[1])
         if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
         redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
         return 1",
    )
});

/// Lists a key under a hash, and drops keys whose time is over. It never shortens the time of a key: its caller may be refused.
static LIST_SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local now = time[1] * 1000 + math.floor(time[2] / 1000)
         redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
         local held = redis.call('ZSCORE', KEYS[1], ARGV[1])
         local over = now + ARGV[2]
         if not held or tonumber(held) < over then redis.call('ZADD', KEYS[1], over, ARGV[1]) end
         if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
         return 1",
    )
});

static LOCK_SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local holder = redis.call('GET', KEYS[1])
         if holder and holder ~= ARGV[1] then return 0 end
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
         return 1",
    )
});

static UNLOCK_SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1")
});

/// Keeps sessions in Redis, 6 or later: each in a string that expires with it, replaced by script. Two sorted sets list its key, one of
/// its user and one of its ID at WorkOS. Every key is used alone, so the keys may be on different nodes.
///
/// One connection carries the requests of all tasks. A lost connection is made again; meanwhile calls return an error, and nobody is
/// signed out. A Redis without free memory refuses new sessions and refreshes. A sign-out still works then: the session is deleted
/// without a tombstone, and a warning is traced. A refresh in flight only replaces the version it has read, so it can't bring the session
/// back.
///
/// # When Redis forgets
///
/// A Redis that forgets acknowledged writes loses sessions. Switch on `appendonly`, with `appendfsync always` if no session may be lost,
/// and no eviction (`maxmemory-policy noeviction`): an evicted session is signed out, and one whose set was evicted isn't found by
/// [`sign_out_everywhere`](crate::SessionManager::sign_out_everywhere). A failover to a replica forgets the last moments, because replication is asynchronous
/// (`min-replicas-to-write` makes that shorter). A restored backup forgets everything that came after it. Then:
///
/// - A newer session is gone: its user signs in again.
/// - A session that was refreshed later has an older pair of tokens. WorkOS accepts its refresh token for about 30 s and refuses it
///   after that: the user signs in again.
/// - **A session that was signed out later is back.** It is active until its access token expires, which takes minutes. Its next
///   refresh succeeds, unless the session has ended at WorkOS, too: because the browser followed the logout URL that
///   [`sign_out`](crate::SessionManager::sign_out) gives, or the application revoked the session with
///   [`sessions`](crate::Client::sessions).
///
/// - A key that was listed later is missing in its set: [`sign_out_everywhere`](crate::SessionManager::sign_out_everywhere) doesn't find
///   that session. Its next refresh lists it again, unless the session has ended at WorkOS.
///
/// So after you restore a backup, delete every key that begins with the [prefix](Self::prefix) before the application starts. Everybody
/// signs in again, and no signed-out session is back.
///
/// ```no_run
/// # async fn run(client: workos_auth::ConfidentialClient) -> Result<(), workos_auth::Error> {
/// use workos_auth::session::RedisSessionStore;
/// use workos_auth::SessionManager;
///
/// let sessions = SessionManager::new(client, RedisSessionStore::from_url("redis://127.0.0.1/")?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisSessionStore {
    connection: Connection,
    prefix: String,
}

impl RedisSessionStore {
    /// A store at an address such as `redis://127.0.0.1:6379/0`, or over TLS `rediss://redis.example.com:6380/0` (feature
    /// `redis-tls`). It connects with the first request. A connection and a reply may take two seconds each. A connection without
    /// acknowledgements is given up after five seconds on Linux, elsewhere when the operating system does so. Needs a tokio runtime.
    ///
    /// The certificate of a `rediss://` address is always verified, with the operating system's authorities; for a Redis with its own
    /// authority see [`new`](Self::new). TLS is 1.2 or later, with the process's default cryptography of rustls, which becomes aws-lc
    /// if the application has chosen none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `redis_url`, or
    /// [`ErrorKind::NoAuthorities`](crate::ErrorKind::NoAuthorities).
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(REDIS_CONNECT_TIMEOUT))
            .set_response_timeout(Some(REDIS_REPLY_TIMEOUT))
            .set_min_delay(RECONNECT_PAUSE)
            .set_max_delay(RECONNECT_PAUSE)
            .set_number_of_retries(1);
        let client = Client::open(address(url)?).map_err(refuse)?;
        Ok(Self::new(ConnectionManager::new_lazy_with_config(client, config).map_err(refuse)?))
    }

    /// A store on a connection that the application has made, with its own TLS settings or timeouts:
    ///
    /// ```no_run
    /// # async fn run(authority: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
    /// use redis::aio::ConnectionManager;
    /// use redis::{Client, TlsCertificates};
    /// use workos_auth::session::RedisSessionStore;
    ///
    /// // The authority of this Redis, in PEM.
    /// let trusted = TlsCertificates { client_tls: None, root_cert: Some(authority) };
    /// let client = Client::build_with_tls("rediss://redis.internal:6380/", trusted)?;
    /// let store = RedisSessionStore::new(ConnectionManager::new(client).await?);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(connection: ConnectionManager) -> Self {
        Self::with(Connection::Single(connection))
    }

    /// A store in a Redis Cluster, which is found at any of these addresses, such as `redis://10.0.0.1:6379/`. All have the same user and
    /// password. Each key of the store is used alone, so it may be on any node.
    ///
    /// While the node of a session is gone, calls for that session return an error. When its replica takes over, what was not yet
    /// replicated is lost: see "When Redis forgets". Otherwise as [`from_url`](Self::from_url).
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), workos_auth::Error> {
    /// use workos_auth::session::RedisSessionStore;
    ///
    /// let store = RedisSessionStore::cluster(["redis://10.0.0.1:6379/", "redis://10.0.0.2:6379/"])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`from_url`](Self::from_url).
    #[cfg(feature = "redis-cluster")]
    pub fn cluster<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Self, Error> {
        let nodes = urls.into_iter().map(|url| address(url.as_ref())).collect::<Result<Vec<_>, _>>()?;
        // Without a limit for all attempts together, they take as long as a single one.
        let client = ::redis::cluster::ClusterClient::builder(nodes)
            .connection_timeout(REDIS_CONNECT_TIMEOUT)
            .response_timeout(REDIS_REPLY_TIMEOUT)
            .overall_response_timeout(Some(REDIS_CONNECT_TIMEOUT + REDIS_REPLY_TIMEOUT))
            .retries(CLUSTER_RETRIES)
            .tcp_settings(tcp())
            .build()
            .map_err(refuse)?;
        let config = ::redis::cluster::ClusterConfig::new();
        Ok(Self::with(Connection::Cluster(client.get_pending_async_connection_with_config(config))))
    }

    /// A store in the Redis that is the master now, which Sentinel knows. `sentinels` are addresses such as `redis://10.0.0.1:26379/`,
    /// with user and password of Sentinel if it wants these. `redis` is the address of Redis itself, with Sentinel's name for it in place
    /// of the host: `redis://user:password@mymaster/0`, or over TLS `rediss://…` (feature `redis-tls`).
    ///
    /// Until a new master is there, calls return an error. What was not yet replicated to it is lost: see "When Redis forgets".
    /// Otherwise as [`from_url`](Self::from_url).
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), workos_auth::Error> {
    /// use workos_auth::session::RedisSessionStore;
    ///
    /// let sentinels = ["redis://10.0.0.1:26379/", "redis://10.0.0.2:26379/", "redis://10.0.0.3:26379/"];
    /// let store = RedisSessionStore::sentinel(sentinels, "redis://app:password@mymaster/0")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`from_url`](Self::from_url).
    #[cfg(feature = "redis-sentinel")]
    pub fn sentinel<U: AsRef<str>>(sentinels: impl IntoIterator<Item = U>, redis: &str) -> Result<Self, Error> {
        use ::redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};

        let sentinels = sentinels.into_iter().map(|url| address(url.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let redis = address(redis)?;
        let node = SentinelNodeConnectionInfo::default()
            .set_tcp_settings(tcp())
            .set_redis_connection_info(redis.redis_settings().clone());
        let (name, node) = match redis.addr() {
            ConnectionAddr::Tcp(name, _) => (name, node),
            ConnectionAddr::TcpTls { host, .. } => (host, node.set_tls_mode(::redis::TlsMode::Secure)),
            _ => return Err(Error::invalid_value("redis_url", "must be a TCP address behind Sentinel")),
        };
        let database = redis.redis_settings().db();
        let name = name.clone();
        let client = move || {
            SentinelClient::build(sentinels.clone(), name.clone(), Some(node.clone()), SentinelServerType::Master)
        };
        client().map_err(refuse)?;
        let config = ::redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(REDIS_CONNECT_TIMEOUT))
            .set_response_timeout(Some(REDIS_REPLY_TIMEOUT));
        Ok(Self::with(Connection::Sentinel(sentinel::Master::new(client, config, database))))
    }

    fn with(connection: Connection) -> Self {
        Self { connection, prefix: KEY_PREFIX.to_owned() }
    }

    /// The beginning of every key; `workos-auth:` by default.
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

    /// The sorted set of the keys that have this hash in their index.
    fn keys(&self, hash: &str) -> String {
        format!("{}{hash}:keys", self.prefix)
    }

    /// Lists a key under both hashes. This comes before the session is written: a session that is there is always listed. A key whose
    /// session isn't there is listed for some time, and `find` doesn't give it.
    async fn list(&self, key: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<()> {
        for hash in [&index.user, &index.session] {
            let time = milliseconds(lifetime.saturating_add(LISTED_LONGER));
            self.invoke(&LIST_SCRIPT, self.keys(hash), (key, time)).await?;
        }
        Ok(())
    }

    /// Takes a key off a list, after its session ended. If this fails, the key is listed for some time longer.
    async fn unlist(&self, key: &str, hash: &str) {
        let mut command = Cmd::new();
        command.arg("ZREM").arg(self.keys(hash)).arg(key);
        let removed: RedisResult<()> = command.query_async(&mut self.connection.clone()).await;
        drop(removed);
    }

    /// A listed key, if its session is there and has this hash.
    async fn if_live(self, key: String, hash: String) -> io::Result<Option<String>> {
        let head = self.head(&key).await?;
        // When there is nothing, the session may be about to be written.
        if head == TOMBSTONE_VALUE {
            self.unlist(&key, &hash).await;
        }
        let is_live = split(&head).is_some_and(|(_, hashes, _)| hashes.contains(&hash.as_str()));
        Ok(is_live.then_some(key))
    }

    /// What is in a session's value before the sealed session.
    async fn head(&self, key: &str) -> io::Result<String> {
        let mut command = Cmd::new();
        command.arg("GETRANGE").arg(self.session(key)).arg(0).arg(LAST_OF_HEAD);
        command.query_async(&mut self.connection.clone()).await.map_err(failed)
    }

    /// `SET … NX PX`: `OK`, or nothing.
    async fn set_new(&self, key: String, value: String, time: Duration) -> io::Result<bool> {
        let mut command = Cmd::new();
        command.arg("SET").arg(key).arg(value).arg("NX").arg("PX").arg(milliseconds(time));
        let set: Option<String> = command.query_async(&mut self.connection.clone()).await.map_err(failed)?;
        Ok(set.is_some())
    }

    async fn invoke(&self, script: &Script, key: String, arguments: impl ToRedisArgs + Sync) -> io::Result<bool> {
        let command = |name: &str, code: &str| {
            let mut command = Cmd::new();
            command.arg(name).arg(code).arg(1).arg(&key).arg(&arguments);
            command
        };
        let mut connection = self.connection.clone();
        let mut done: RedisResult<u8> = command("EVALSHA", &script.hash).query_async(&mut connection).await;
        // This node doesn't have the script yet. `SCRIPT LOAD` would go to all nodes, and fail when any of them is gone.
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)) {
            done = command("EVAL", script.code).query_async(&mut connection).await;
        }
        done.map(|done| done == 1).map_err(failed)
    }
}

fn refuse(_: RedisError) -> Error {
    Error::invalid_value("redis_url", "isn't the address of a Redis server")
}

/// An address that this crate connects to.
fn address(url: &str) -> Result<ConnectionInfo, Error> {
    if cfg!(not(feature = "redis-tls")) && url.starts_with("rediss:") {
        return Err(Error::invalid_value("redis_url", "needs the feature `redis-tls` for `rediss:`"));
    }
    let address = url.into_connection_info().map_err(refuse)?;
    match address.addr() {
        ConnectionAddr::TcpTls { insecure: true, .. } => {
            return Err(Error::invalid_value("redis_url", "must not switch off the verification of certificates"));
        }
        #[cfg(feature = "redis-tls")]
        ConnectionAddr::TcpTls { .. } => prepare_tls()?,
        _ => {}
    }
    Ok(address.set_tcp_settings(tcp()))
}

/// What the `redis` crate needs before TLS. A problem is reported at once, not with every request.
#[cfg(feature = "redis-tls")]
fn prepare_tls() -> Result<(), Error> {
    // Has no effect if the application has made its own choice.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let found = rustls_native_certs::load_native_certs();
    match found.errors.into_iter().next() {
        Some(error) => Err(Error::no_authorities(error)),
        None if found.certs.is_empty() => Err(Error::no_authorities(io::Error::from(io::ErrorKind::NotFound))),
        None => Ok(()),
    }
}

/// Gives up a connection whose other end is silently gone, if the operating system can do that.
fn tcp() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(ACKNOWLEDGEMENT_TIMEOUT);
    settings
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 52)
}

/// What the value of every session of this version begins with.
fn live(version: u64) -> String {
    format!("L{version}:")
}

fn value(version: u64, SessionIndex { user, session }: &SessionIndex, sealed: &str) -> String {
    format!("{}{user}:{session}:{sealed}", live(version))
}

/// The version, the hashes, and the sealed session or its beginning.
fn split(value: &str) -> Option<(&str, [&str; 2], &str)> {
    let (version, rest) = value.strip_prefix('L')?.split_once(':')?;
    let (user, rest) = rest.split_once(':')?;
    let (session, sealed) = rest.split_once(':')?;
    Some((version, [user, session], sealed))
}

fn parse(value: &str) -> io::Result<StoredSession> {
    if value == TOMBSTONE_VALUE {
        return Ok(StoredSession::Ended);
    }
    let (version, _, sealed) = split(value).ok_or(io::ErrorKind::InvalidData)?;
    let version = version.parse().map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(StoredSession::Live { version, sealed: sealed.to_owned() })
}

/// The crate's own messages may contain the address, its password and values.
fn failed(error: RedisError) -> io::Error {
    #[cfg(feature = "redis-tls")]
    if let Some(cause) = tls::cause(&error) {
        let advice = if tls::is_certificate(cause) {
            "check this machine's clock and the trusted certificate authorities"
        } else {
            "check the address, and that Redis has TLS 1.2 or later"
        };
        let text = format!("no secure connection to Redis could be made ({cause}): {advice}");
        return io::Error::new(io::ErrorKind::InvalidData, text);
    }
    if error.is_timeout() {
        io::Error::new(io::ErrorKind::TimedOut, "Redis did not answer in time")
    } else if error.is_connection_refusal() {
        io::Error::new(io::ErrorKind::ConnectionRefused, "Redis can't be reached")
    } else if error.is_connection_dropped() {
        io::Error::new(io::ErrorKind::ConnectionReset, "the connection to Redis was lost")
    } else if error.kind() == ErrorKind::MasterNameNotFoundBySentinel {
        io::Error::new(io::ErrorKind::NotFound, "Sentinel knows no Redis of this name that is available")
    } else if error.is_io_error() || error.kind() == ErrorKind::ClusterConnectionNotFound {
        io::Error::new(io::ErrorKind::NotConnected, "Redis can't be reached")
    } else if error.code() == Some("OOM") {
        io::Error::new(io::ErrorKind::OutOfMemory, "Redis has no memory left")
    } else {
        match error.code().filter(|code| is_word(code)) {
            Some(code @ ("NOAUTH" | "WRONGPASS" | "NOPERM")) => {
                let text = format!("Redis refused the user or the password ({code})");
                io::Error::new(io::ErrorKind::PermissionDenied, text)
            }
            Some(code) => io::Error::other(format!("Redis refused the command ({code})")),
            None => io::Error::other("Redis refused the command"),
        }
    }
}

/// The code of a refusal is one word in capitals. Any other text may contain a secret.
fn is_word(code: &str) -> bool {
    code.len() <= 16 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Whether Redis has read the command and refused it.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

impl SessionStore for RedisSessionStore {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        let mut command = Cmd::new();
        command.arg("GET").arg(self.session(key));
        let value: Option<String> = command.query_async(&mut self.connection.clone()).await.map_err(failed)?;
        value.as_deref().map(parse).transpose()
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        self.list(key, index, lifetime).await?;
        self.set_new(self.session(key), value(1, index, sealed), lifetime).await
    }

    async fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> io::Result<bool> {
        self.list(key, index, lifetime).await?;
        let values = (live(version), value(version.saturating_add(1), index, sealed), milliseconds(lifetime));
        let replaced = self.invoke(&REPLACE_SCRIPT, self.session(key), values).await?;
        // A session that ended stays off the lists. It was created before anybody could replace it, so it isn't about to be written.
        if !replaced && split(&self.head(key).await?).is_none() {
            for hash in [&index.user, &index.session] {
                self.unlist(key, hash).await;
            }
        }
        Ok(replaced)
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        let mut cursor = 0_u64;
        loop {
            // What is in the set from the first reply to the last is in one of them, whatever others do meanwhile.
            let mut command = Cmd::new();
            command.arg("ZSCAN").arg(self.keys(hash)).arg(cursor).arg("COUNT").arg(KEYS_PER_REPLY);
            let reply = command.query_async(&mut self.connection.clone()).await;
            let (next, listed): (u64, Vec<(String, String)>) = reply.map_err(failed)?;
            // They go out together, and each to the node that has its session.
            let mut heads = JoinSet::new();
            for (key, _) in listed {
                heads.spawn(self.clone().if_live(key, hash.to_owned()));
            }
            while let Some(key) = heads.join_next().await {
                let key = key.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))?;
                found.extend(key.filter(|key| !found.contains(key)));
            }
            if found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
            cursor = next;
            if cursor == 0 {
                return Ok(found);
            }
        }
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        let head = self.head(key).await?;
        let mut command = Cmd::new();
        command.arg("SET").arg(self.session(key)).arg(TOMBSTONE_VALUE).arg("PX").arg(milliseconds(tombstone));
        let written: RedisResult<()> = command.query_async(&mut self.connection.clone()).await;
        match written {
            // Most often memory is short, and deleting needs none.
            Err(error) if is_refusal(&error) => {
                let mut command = Cmd::new();
                command.arg("DEL").arg(self.session(key));
                let () = command.query_async(&mut self.connection.clone()).await.map_err(failed)?;
                tracing::warn!(reason = %failed(error), "a session was deleted without a tombstone");
            }
            written => written.map_err(failed)?,
        }
        for hash in split(&head).into_iter().flat_map(|(_, hashes, _)| hashes) {
            self.unlist(key, hash).await;
        }
        Ok(())
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        self.invoke(&LOCK_SCRIPT, self.lock(key), (owner, milliseconds(lease))).await
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        self.invoke(&UNLOCK_SCRIPT, self.lock(key), owner).await.map(drop)
    }
}

impl fmt::Debug for RedisSessionStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RedisSessionStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
