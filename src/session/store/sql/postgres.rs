//! The statements for PostgreSQL. `now()` is the time at which the statement began, by the clock of the database.

use sqlx::pool::PoolConnection;
use sqlx::{Error, PgPool, Postgres};

use super::{Row, Statements, Value};

pub(super) const MIGRATION: &str = include_str!("postgres.sql");

/// Any number that no other lock of the application has. Processes migrate one after the other.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(8244127021566193)";

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

pub(super) async fn migrate(pool: &PgPool) -> Result<(), Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query(MIGRATION_LOCK).execute(&mut *transaction).await?;
    sqlx::raw_sql(MIGRATION).execute(&mut *transaction).await?;
    transaction.commit().await
}

pub(super) async fn execute(pool: &PgPool, statement: &'static str, values: &[Value<'_>]) -> Result<u64, Error> {
    let query = values.iter().fold(sqlx::query(statement), |query, value| match value {
        Value::Text(text) => query.bind(*text),
        Value::Number(number) => query.bind(*number),
    });
    let mut lent = Lent::by(pool).await?;
    let done = query.execute(lent.connection()?).await;
    lent.give_back(done).map(|done| done.rows_affected())
}

pub(super) async fn fetch(pool: &PgPool, statement: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
    let query = values.iter().fold(sqlx::query_as(statement), |query, value| match value {
        Value::Text(text) => query.bind(*text),
        Value::Number(number) => query.bind(*number),
    });
    let mut lent = Lent::by(pool).await?;
    let rows = query.fetch_all(lent.connection()?).await;
    lent.give_back(rows)
}

/// A connection of the pool. It is closed, and its place in the pool is free at once, when its caller gave up waiting: the other end
/// may be gone without a word, and the pool would wait for it.
struct Lent(Option<PoolConnection<Postgres>>);

impl Lent {
    async fn by(pool: &PgPool) -> Result<Self, Error> {
        Ok(Self(Some(pool.acquire().await?)))
    }

    fn connection(&mut self) -> Result<&mut sqlx::PgConnection, Error> {
        self.0.as_deref_mut().ok_or(Error::PoolClosed)
    }

    fn give_back<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        if matches!(result, Ok(_) | Err(Error::Database(_))) {
            drop(self.0.take());
        }
        result
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.0.take().map(PoolConnection::detach));
    }
}
