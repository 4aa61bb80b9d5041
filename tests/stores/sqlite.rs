//! SQLite: one file in WAL mode, several processes.

use std::fs;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, Row, SqliteConnection};
use workos_auth::session::{BoxSessionStore, SqlSessionStore};
use workos_auth::{SessionManager, SessionState};

use crate::common::{self, Outcome, client, login, open, sources, sqlite_pool};
use crate::server::Folder;
use crate::sql;

pub(crate) async fn run() -> Outcome {
    let folder = Folder::new("sqlite")?;
    let file = folder.0.join("sessions.db");
    let address = format!("sqlite:{}", file.display());
    sql::missing_tables(&address).await?;
    sql::migrations(&address).await?;
    sql::plan_of_find(&address).await?;
    sql::sweeping(&address).await?;
    sql::nothing_told(&address).await?;
    busy(&address).await?;
    full(&folder).await?;
    damaged(&folder).await?;
    common::together(&address).await?;
    common::killed_writers(&address).await?;
    let checked: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&sqlite_pool(&file, 1).await?).await?;
    if checked == "ok" { Ok(()) } else { Err(format!("after the kills: {checked}").into()) }
}

/// Another process writes for longer than a writer waits.
async fn busy(address: &str) -> Outcome {
    let authkit = common::authkit().await?;
    let direct = client(authkit.base_url())?;
    let manager = SessionManager::new(direct.clone(), open(address).await?);
    let handle = manager.sign_in(login(&direct).await?).await?;
    let mut writer = SqliteConnection::connect(address).await?;
    let transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let state = manager.authenticate(&handle).await;
    if !matches!(state, SessionState::Active(_)) {
        return Err(format!("a reader waited for the writer: {state:?}").into());
    }
    let start = Instant::now();
    let refused = manager.sign_in(login(&direct).await?).await.err().ok_or("two writers at once")?;
    let (told, took) = (sources(refused.error()), start.elapsed());
    if !told.contains("busy") || took < Duration::from_secs(2) {
        return Err(format!("after {took:?}: {told}").into());
    }
    transaction.rollback().await?;
    manager.sign_out(&handle, None).await?;
    println!("another writer: sessions are read, and a new one is refused after {took:.1?} ({told})");
    Ok(())
}

/// A database without room: nobody can sign in, and everybody can sign out.
async fn full(folder: &Folder) -> Outcome {
    let pool = sqlite_pool(&folder.0.join("full.db"), 1).await?;
    let store = SqlSessionStore::sqlite(pool.clone());
    store.migrate().await?;
    let authkit = common::authkit().await?;
    let direct = client(authkit.base_url())?;
    let manager = SessionManager::new(direct.clone(), store);
    let mut handles = Vec::new();
    for _ in 0..20 {
        handles.push(manager.sign_in(login(&direct).await?).await?);
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&pool).await?;
    if mode != "wal" {
        return Err(format!("the database isn't as the documentation wants it: {mode}").into());
    }
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&pool).await?;
    sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).execute(&pool).await?;
    // The last page has some room left.
    let refused = loop {
        match manager.sign_in(login(&direct).await?).await {
            Ok(handle) => handles.push(handle),
            Err(refused) => break sources(refused.error()),
        }
    };
    if !refused.contains("no room left") {
        return Err(format!("of a full database: {refused}").into());
    }
    for handle in &handles {
        manager.sign_out(handle, None).await.map_err(|error| sources(&error))?;
        let state = manager.authenticate(handle).await;
        if !matches!(state, SessionState::SignedOut(_)) {
            return Err(format!("signed out of a full database: {state:?}").into());
        }
    }
    println!("a full database: no new session, and {} sign-outs ({refused})", handles.len());
    Ok(())
}

/// A file that is no database signs nobody out.
async fn damaged(folder: &Folder) -> Outcome {
    let file = folder.0.join("damaged.db");
    fs::write(&file, "this isn't a database".repeat(1_000))?;
    let options = SqliteConnectOptions::new().filename(&file);
    let store = BoxSessionStore::new(SqlSessionStore::sqlite(SqlitePoolOptions::new().connect_lazy_with(options)));
    common::is_unknown(store, "damaged").await
}

/// How SQLite runs a statement.
pub(crate) async fn plan(address: &str, statement: String) -> Outcome<String> {
    let mut connection = SqliteConnection::connect(address).await?;
    let statement = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows = sqlx::query(statement).fetch_all(&mut connection).await?;
    Ok(rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; "))
}
