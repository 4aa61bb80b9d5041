//! Sessions in a SQL database.

mod error;
#[cfg(feature = "sqlx-postgres")]
mod postgres;
#[cfg(feature = "sqlx-sqlite")]
mod sqlite;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use self::error::failed;
use super::{SessionIndex, SessionStore, StoredSession};

/// The version in the row of a tombstone.
const TOMBSTONE_VERSION: i64 = 0;
/// One new session or tombstone in so many sweeps, up to this many rows. So expired rows go faster than new ones come.
const SWEEP_EVERY: u32 = 64;
const SWEEP_LIMIT: u32 = 256;
/// A hundred years. A database can't add any duration to a time.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Keeps sessions in PostgreSQL (feature `sqlx-postgres`, 12 or later) or in SQLite (feature `sqlx-sqlite`), through the application's own
/// pool of the crate `sqlx`. These two features need Rust 1.94.
///
/// Each call is one statement, and the time is the database's. An unavailable database signs nobody out. Errors and traces contain
/// no value, no address and no password.
///
/// Two tables are needed: [`migrate`](Self::migrate) makes them, and nothing else does.
#[cfg_attr(
    feature = "sqlx-sqlite",
    doc = "
```
use workos_auth::reexports::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use workos_auth::session::SqlSessionStore;

# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# let folder = std::env::temp_dir().join(format!(\"workos-auth-doctest-{}\", std::process::id()));
# std::fs::create_dir_all(&folder)?;
# let file = folder.join(\"sessions.db\");
let options = SqliteConnectOptions::new()
    .filename(file)
    .create_if_missing(true)
    // Readers don't wait for the one writer, and a writer waits for its turn.
    .journal_mode(SqliteJournalMode::Wal)
    .busy_timeout(std::time::Duration::from_secs(3));
let store = SqlSessionStore::sqlite(SqlitePoolOptions::new().max_connections(4).connect_with(options).await?);
store.migrate().await?;
# std::fs::remove_dir_all(folder)?;
# Ok(())
# }
```
"
)]
#[cfg_attr(
    feature = "sqlx-postgres",
    doc = "
```no_run
use workos_auth::reexports::sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use workos_auth::session::SqlSessionStore;

# async fn run(url: &str) -> Result<(), Box<dyn std::error::Error>> {
// For example `postgres://app:password@db.internal/app`. By default sqlx takes a connection without TLS, too.
let options: PgConnectOptions = url.parse::<PgConnectOptions>()?.ssl_mode(PgSslMode::VerifyFull);
let store = SqlSessionStore::postgres(PgPoolOptions::new().max_connections(16).connect_lazy_with(options));
store.migrate().await?;
# Ok(()) }
```
"
)]
///
/// # The pool
///
/// A call that finds no free connection waits for one, and fails after five seconds: the session is then temporarily unknown. Give
/// sessions a pool of their own if other work can keep all connections busy.
///
/// - **PostgreSQL**: the pool leads to the primary, never to a replica that lags behind. A schema of your own is the pool's business:
///   `PgConnectOptions::options([("search_path", "auth")])`. Behind a pooler that gives a connection away after each transaction, switch
///   prepared statements off: `statement_cache_capacity(0)`.
/// - **SQLite**: all processes are on one machine, and the file is on a disk of that machine, not on a network's. The application owns
///   the file and its folder, and nobody else can read them (mode 0700 for the folder). For one process, `:memory:` needs a pool with
///   exactly one connection that is never closed; take a [`MemorySessionStore`](super::MemorySessionStore) instead.
///
/// # Expired rows
///
/// Expired rows aren't found by any call. One new session or tombstone in 64 removes up to 256 of them in a task of its own, so that they go
/// faster than they come. Call [`sweep`](Self::sweep) from a scheduler if you want them gone earlier. PostgreSQL's rows are swept from the
/// day (UTC) after they expired: then a refresh changes no index, because only the day is indexed.
#[derive(Clone)]
pub struct SqlSessionStore {
    database: Database,
    written: Arc<AtomicU32>,
}

#[derive(Clone)]
enum Database {
    #[cfg(feature = "sqlx-postgres")]
    Postgres(postgres::Pool),
    #[cfg(feature = "sqlx-sqlite")]
    Sqlite(sqlx::SqlitePool),
}

/// What a database is told, with `$1`, `$2` … for the values.
struct Statements {
    load: &'static str,
    create: &'static str,
    replace: &'static str,
    remove: &'static str,
    delete: &'static str,
    find: &'static str,
    lock: &'static str,
    unlock: &'static str,
    sweep_sessions: &'static str,
    sweep_locks: &'static str,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Text(&'a str),
    Number(i64),
}

/// A version, and a text.
type Row = (i64, String);

impl SqlSessionStore {
    /// What [`migrate`](Self::migrate) runs in PostgreSQL, for applications that keep their migrations in a place of their own. It can run
    /// again.
    ///
    /// ```sql
    #[cfg_attr(feature = "sqlx-postgres", doc = include_str!("postgres.sql"))]
    /// ```
    #[cfg(feature = "sqlx-postgres")]
    pub const POSTGRES_MIGRATION: &str = postgres::MIGRATION;

    /// What [`migrate`](Self::migrate) runs in SQLite, for applications that keep their migrations in a place of their own. It can run
    /// again.
    ///
    /// ```sql
    #[cfg_attr(feature = "sqlx-sqlite", doc = include_str!("sqlite.sql"))]
    /// ```
    #[cfg(feature = "sqlx-sqlite")]
    pub const SQLITE_MIGRATION: &str = sqlite::MIGRATION;

    /// A store in PostgreSQL.
    #[cfg(feature = "sqlx-postgres")]
    #[must_use]
    pub fn postgres(pool: sqlx::PgPool) -> Self {
        Self { database: Database::Postgres(postgres::Pool::new(pool)), written: Arc::default() }
    }

    /// A store in SQLite, 3.42 or later; the feature brings its own.
    #[cfg(feature = "sqlx-sqlite")]
    #[must_use]
    pub fn sqlite(pool: sqlx::SqlitePool) -> Self {
        Self { database: Database::Sqlite(pool), written: Arc::default() }
    }

    /// Makes the tables and indexes that aren't there yet, in one transaction. Several processes may do so at the same time.
    ///
    /// When everything is there, it only looks. Otherwise it waits in PostgreSQL for three seconds at most until no transaction writes
    /// sessions, and then fails.
    ///
    /// In PostgreSQL the role needs the right to create tables for this call. For all others it needs `SELECT`, `INSERT`, `UPDATE` and
    /// `DELETE` on the two tables.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn migrate(&self) -> io::Result<()> {
        let migrated = match &self.database {
            #[cfg(feature = "sqlx-postgres")]
            Database::Postgres(pool) => postgres::migrate(pool).await,
            #[cfg(feature = "sqlx-sqlite")]
            Database::Sqlite(pool) => sqlite::migrate(pool).await,
        };
        migrated.map_err(failed)
    }

    /// Removes expired rows, `limit` at most, and says how many. With fewer than `limit`, none was left. Several processes may do so at the
    /// same time.
    ///
    /// A batch of a few hundred rows takes milliseconds. Pause between two batches, so that other work goes on.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn sweep(&self, limit: u32) -> io::Result<u64> {
        let sessions = self.execute(self.statements().sweep_sessions, &[Value::Number(limit.into())]).await?;
        let rest = i64::from(limit) - number(sessions);
        let locks = self.execute(self.statements().sweep_locks, &[Value::Number(rest.max(0))]).await?;
        Ok(sessions + locks)
    }

    fn sweep_now_and_then(&self) {
        if self.written.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY) {
            let store = self.clone();
            tokio::spawn(async move {
                if let Err(error) = store.sweep(SWEEP_LIMIT).await {
                    tracing::warn!(reason = %error, "expired sessions could not be swept");
                }
            });
        }
    }

    fn statements(&self) -> &'static Statements {
        match &self.database {
            #[cfg(feature = "sqlx-postgres")]
            Database::Postgres(_) => &postgres::STATEMENTS,
            #[cfg(feature = "sqlx-sqlite")]
            Database::Sqlite(_) => &sqlite::STATEMENTS,
        }
    }

    /// Runs a statement, and says how many rows it changed. The futures of sqlx are large, so they are boxed.
    async fn execute(&self, statement: &'static str, values: &[Value<'_>]) -> io::Result<u64> {
        let changed = match &self.database {
            #[cfg(feature = "sqlx-postgres")]
            Database::Postgres(pool) => Box::pin(postgres::execute(pool, statement, values)).await,
            #[cfg(feature = "sqlx-sqlite")]
            Database::Sqlite(pool) => Box::pin(sqlite::execute(pool, statement, values)).await,
        };
        changed.map_err(failed)
    }

    async fn fetch(&self, statement: &'static str, values: &[Value<'_>]) -> io::Result<Vec<Row>> {
        let rows = match &self.database {
            #[cfg(feature = "sqlx-postgres")]
            Database::Postgres(pool) => Box::pin(postgres::fetch(pool, statement, values)).await,
            #[cfg(feature = "sqlx-sqlite")]
            Database::Sqlite(pool) => Box::pin(sqlite::fetch(pool, statement, values)).await,
        };
        rows.map_err(failed)
    }
}

fn milliseconds(time: Duration) -> Value<'static> {
    let milliseconds = time.min(LONGEST).as_millis().max(1);
    Value::Number(i64::try_from(milliseconds).unwrap_or(i64::MAX))
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl SessionStore for SqlSessionStore {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        let rows = self.fetch(self.statements().load, &[Value::Text(key)]).await?;
        let Some((version, sealed)) = rows.into_iter().next() else { return Ok(None) };
        if version == TOMBSTONE_VERSION {
            return Ok(Some(StoredSession::Ended));
        }
        let version = u64::try_from(version).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Some(StoredSession::Live { version, sealed }))
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        let values = [
            Value::Text(key),
            Value::Text(sealed),
            Value::Text(&index.user),
            Value::Text(&index.session),
            milliseconds(lifetime),
        ];
        let created = self.execute(self.statements().create, &values).await? == 1;
        self.sweep_now_and_then();
        Ok(created)
    }

    async fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> io::Result<bool> {
        let values = [
            Value::Text(key),
            Value::Number(number(version)),
            Value::Text(sealed),
            Value::Text(&index.user),
            Value::Text(&index.session),
            milliseconds(lifetime),
        ];
        Ok(self.execute(self.statements().replace, &values).await? == 1)
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        let removed = self.execute(self.statements().remove, &[Value::Text(key), milliseconds(tombstone)]).await;
        self.sweep_now_and_then();
        match removed {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                self.execute(self.statements().delete, &[Value::Text(key)]).await?;
                tracing::warn!(reason = %error, "a session was deleted without a tombstone");
                Ok(())
            }
            removed => removed.map(drop),
        }
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        let limit = Value::Number(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.fetch(self.statements().find, &[Value::Text(hash), limit]).await?;
        Ok(rows.into_iter().map(|(_, key)| key).collect())
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        let values = [Value::Text(key), Value::Text(owner), milliseconds(lease)];
        Ok(self.execute(self.statements().lock, &values).await? == 1)
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        self.execute(self.statements().unlock, &[Value::Text(key), Value::Text(owner)]).await.map(drop)
    }
}

impl fmt::Debug for SqlSessionStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = match &self.database {
            #[cfg(feature = "sqlx-postgres")]
            Database::Postgres(_) => "PostgreSQL",
            #[cfg(feature = "sqlx-sqlite")]
            Database::Sqlite(_) => "SQLite",
        };
        formatter.debug_struct("SqlSessionStore").field("database", &database).finish_non_exhaustive()
    }
}
