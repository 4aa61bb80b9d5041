//! The statements for SQLite. Its clock is this machine's.

use sqlx::{Error, SqlitePool};

use super::{Row, Statements, Value};

pub(super) const MIGRATION: &str = include_str!("sqlite.sql");

/// A transaction that will write must begin as one: SQLite refuses to make a writer of a reader whose data is not the newest.
const BEGIN: &str = "BEGIN IMMEDIATE";

pub(super) const STATEMENTS: Statements = Statements {
    load: "
        SELECT version, sealed FROM workos_auth_sessions
        WHERE key = unhex($1) AND expires > CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    create: "
        INSERT INTO workos_auth_sessions AS held (key, version, sealed, user_hash, session_hash, expires)
        VALUES (unhex($1), 1, $2, unhex($3), unhex($4), CAST(unixepoch('subsec') * 1000 AS INTEGER) + $5)
        ON CONFLICT (key) DO UPDATE SET
            version = excluded.version, sealed = excluded.sealed, user_hash = excluded.user_hash,
            session_hash = excluded.session_hash, expires = excluded.expires
        WHERE held.expires <= CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    replace: "
        UPDATE workos_auth_sessions SET
            version = version + 1, sealed = $3, user_hash = unhex($4), session_hash = unhex($5),
            expires = CAST(unixepoch('subsec') * 1000 AS INTEGER) + $6
        WHERE key = unhex($1) AND version = $2 AND version > 0
            AND expires > CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    remove: "
        INSERT INTO workos_auth_sessions (key, version, sealed, expires)
        VALUES (unhex($1), 0, '', CAST(unixepoch('subsec') * 1000 AS INTEGER) + $2)
        ON CONFLICT (key) DO UPDATE SET
            version = 0, sealed = '', user_hash = NULL, session_hash = NULL, expires = excluded.expires",
    delete: "
        DELETE FROM workos_auth_sessions WHERE key = unhex($1)",
    find: "
        SELECT version, lower(hex(key)) FROM workos_auth_sessions
        WHERE (user_hash = unhex($1) OR session_hash = unhex($1)) AND version > 0
            AND expires > CAST(unixepoch('subsec') * 1000 AS INTEGER)
        LIMIT $2",
    lock: "
        INSERT INTO workos_auth_locks AS held (key, owner, expires)
        VALUES (unhex($1), $2, CAST(unixepoch('subsec') * 1000 AS INTEGER) + $3)
        ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, expires = excluded.expires
        WHERE held.owner = excluded.owner OR held.expires <= CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    unlock: "
        DELETE FROM workos_auth_locks WHERE key = unhex($1) AND owner = $2",
    sweep_sessions: "
        DELETE FROM workos_auth_sessions WHERE key IN (
            SELECT key FROM workos_auth_sessions
            WHERE expires <= CAST(unixepoch('subsec') * 1000 AS INTEGER) LIMIT $1)",
    sweep_locks: "
        DELETE FROM workos_auth_locks WHERE key IN (
            SELECT key FROM workos_auth_locks
            WHERE expires <= CAST(unixepoch('subsec') * 1000 AS INTEGER) LIMIT $1)",
};

pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), Error> {
    let mut transaction = pool.begin_with(BEGIN).await?;
    sqlx::raw_sql(MIGRATION).execute(&mut *transaction).await?;
    transaction.commit().await
}

pub(super) async fn execute(pool: &SqlitePool, statement: &'static str, values: &[Value<'_>]) -> Result<u64, Error> {
    let query = values.iter().fold(sqlx::query(statement), |query, value| match value {
        Value::Text(text) => query.bind(*text),
        Value::Number(number) => query.bind(*number),
    });
    Ok(query.execute(pool).await?.rows_affected())
}

pub(super) async fn fetch(pool: &SqlitePool, statement: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
    let query = values.iter().fold(sqlx::query_as(statement), |query, value| match value {
        Value::Text(text) => query.bind(*text),
        Value::Number(number) => query.bind(*number),
    });
    query.fetch_all(pool).await
}
