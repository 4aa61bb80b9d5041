//! The statements for PostgreSQL. `now()` is the time at which the statement began, by the clock of the database.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Error, PgPool, Postgres};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::{Row, Statements, Value};

pub(super) const MIGRATION: &str = include_str!("postgres.sql");

/// Whether everything that the migration makes is there. Even `IF NOT EXISTS`, an index wants a lock that keeps writers out.
const IS_MIGRATED: &str = "
    SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(ARRAY[
        'workos_auth_sessions', 'workos_auth_sessions_user', 'workos_auth_sessions_session',
        'workos_auth_sessions_expiry', 'workos_auth_locks']) AS name";
/// Other work that waits behind a migration doesn't wait longer than this.
const BEGIN_MIGRATION: &str = "BEGIN; SET LOCAL lock_timeout = '3s'";
/// Any number that no other lock of the application has. Processes migrate one after the other.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(8244127021566193)";

/// A connection whose statement has no answer after this long is silent, or the database makes it wait. No caller waits longer.
const SILENCE: Duration = Duration::from_secs(5);

/// The application's pool. Clones share it.
#[derive(Clone)]
pub(super) struct Pool {
    pool: PgPool,
    /// Places for connections that were replaced and are still open.
    replaced: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn new(pool: PgPool) -> Self {
        let places = usize::try_from(pool.options().get_max_connections()).unwrap_or(usize::MAX);
        Self { replaced: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))), pool }
    }
}

pub(super) const STATEMENTS: Statements = Statements {
    load: "
        SELECT version, sealed FROM workos_auth_sessions
        WHERE key = decode($1, 'hex') AND expires > now()",
    create: "
        INSERT INTO workos_auth_sessions AS held (key, version, sealed, user_hash, session_hash, expires)
        VALUES (decode($1, 'hex'), 1, $2, decode($3, 'hex'), decode($4, 'hex'), now() + $5 * interval '1 ms')
        ON CONFLICT (key) DO UPDATE SET
            version = excluded.version, sealed = excluded.sealed, user_hash = excluded.user_hash,
            session_hash = excluded.session_hash, expires = excluded.expires
        WHERE held.expires <= now()",
    replace: "
        UPDATE workos_auth_sessions SET
            version = version + 1, sealed = $3, user_hash = decode($4, 'hex'), session_hash = decode($5, 'hex'),
            expires = now() + $6 * interval '1 ms'
        WHERE key = decode($1, 'hex') AND version = $2 AND version > 0 AND expires > now()",
    remove: "
        INSERT INTO workos_auth_sessions (key, version, sealed, expires)
        VALUES (decode($1, 'hex'), 0, '', now() + $2 * interval '1 ms')
        ON CONFLICT (key) DO UPDATE SET
            version = 0, sealed = '', user_hash = NULL, session_hash = NULL, expires = excluded.expires",
    delete: "
        DELETE FROM workos_auth_sessions WHERE key = decode($1, 'hex')",
    find: "
        SELECT version, encode(key, 'hex') FROM workos_auth_sessions
        WHERE (user_hash = decode($1, 'hex') OR session_hash = decode($1, 'hex')) AND version > 0 AND expires > now()
        LIMIT $2",
    lock: "
        INSERT INTO workos_auth_locks AS held (key, owner, expires)
        VALUES (decode($1, 'hex'), $2, now() + $3 * interval '1 ms')
        ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, expires = excluded.expires
        WHERE held.owner = excluded.owner OR held.expires <= now()",
    unlock: "
        DELETE FROM workos_auth_locks WHERE key = decode($1, 'hex') AND owner = $2",
    // Rows that another process is sweeping are left to it.
    sweep_sessions: "
        DELETE FROM workos_auth_sessions WHERE key = ANY (ARRAY(
            SELECT key FROM workos_auth_sessions
            WHERE expiry_day < (now() AT TIME ZONE 'UTC')::date LIMIT $1 FOR UPDATE SKIP LOCKED))",
    sweep_locks: "
        DELETE FROM workos_auth_locks WHERE key = ANY (ARRAY(
            SELECT key FROM workos_auth_locks WHERE expires <= now() LIMIT $1 FOR UPDATE SKIP LOCKED))",
};

pub(super) async fn migrate(Pool { pool, .. }: &Pool) -> Result<(), Error> {
    if sqlx::query_scalar(IS_MIGRATED).fetch_one(pool).await? {
        return Ok(());
    }
    let mut transaction = pool.begin_with(BEGIN_MIGRATION).await?;
    sqlx::query(MIGRATION_LOCK).execute(&mut *transaction).await?;
    sqlx::raw_sql(MIGRATION).execute(&mut *transaction).await?;
    transaction.commit().await
}

pub(super) async fn execute(pool: &Pool, statement: &'static str, values: &[Value<'_>]) -> Result<u64, Error> {
    let query = values.iter().fold(sqlx::query(statement), |query, value| match value {
        Value::Text(text) => query.bind(*text),
        Value::Number(number) => query.bind(*number),
    });
    let mut lent = Lent::by(pool).await?;
    let done = query.execute(lent.connection()?).await;
    lent.give_back(done).map(|done| done.rows_affected())
}

pub(super) async fn fetch(pool: &Pool, statement: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
    let query = values.iter().fold(sqlx::query_as(statement), |query, value| match value {
        Value::Text(text) => query.bind(*text),
        Value::Number(number) => query.bind(*number),
    });
    let mut lent = Lent::by(pool).await?;
    let rows = query.fetch_all(lent.connection()?).await;
    lent.give_back(rows)
}

/// A connection of the pool.
struct Lent {
    connection: Option<PoolConnection<Postgres>>,
    since: Instant,
    replaced: Arc<Semaphore>,
}

impl Lent {
    async fn by(Pool { pool, replaced }: &Pool) -> Result<Self, Error> {
        let connection = Some(pool.acquire().await?);
        Ok(Self { connection, since: Instant::now(), replaced: Arc::clone(replaced) })
    }

    fn connection(&mut self) -> Result<&mut sqlx::PgConnection, Error> {
        self.connection.as_deref_mut().ok_or(Error::PoolClosed)
    }

    fn give_back<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        if matches!(result, Ok(_) | Err(Error::Database(_))) {
            drop(self.connection.take());
        }
        result
    }
}

impl Drop for Lent {
    /// Its caller gave up, or the connection failed.
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(settle(connection, self.since + SILENCE, Arc::clone(&self.replaced)));
        } else {
            drop(connection.detach());
        }
    }
}

/// Waits for the answer that nobody waits for any more: then the connection is as good as before.
///
/// When it doesn't come, the other end may be gone without a word, and another connection takes its place in the pool. The statement may
/// as well wait for a lock, and PostgreSQL goes on waiting when the connection is closed. So there are never more replaced connections
/// than the pool has places.
async fn settle(mut connection: PoolConnection<Postgres>, deadline: Instant, replaced: Arc<Semaphore>) {
    if timeout_at(deadline, connection.ping()).await.is_ok() {
        return;
    }
    if let Ok(_place) = replaced.try_acquire() {
        let mut connection = connection.detach();
        if connection.ping().await.is_ok() {
            drop(connection.close().await);
        }
    } else {
        drop(connection.ping().await);
    }
}
