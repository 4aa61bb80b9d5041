//! How many bytes a session takes. `docs/stores.md` has the results.

use std::fs;
use std::time::{Duration, Instant};

use workos_auth::SessionManager;
use workos_auth::session::{BoxSessionStore, MemorySessionStore, SessionIndex, SessionStore};

use crate::common::{self, Outcome, client, login, open, open_sql};
use crate::postgres::Postgres;
use crate::redis::Redis;
use crate::server::{Folder, Server};
use crate::sql::{self, SEALED};

const SESSIONS: usize = 5_000;
const REFRESHES: u64 = 2;
const SAMPLE: Duration = Duration::from_hours(30 * 24);

pub(crate) async fn run() -> Outcome {
    let before = resident()?;
    let memory = BoxSessionStore::new(MemorySessionStore::new());
    fill("memory", &memory).await?;
    println!("memory: {} bytes a session", (resident()? - before) / SESSIONS as u64);
    drop(memory);

    let folder = Folder::new("measure")?;
    let file = folder.0.join("sessions.db");
    let address = format!("sqlite:{}", file.display());
    open_sql(&address).await?.migrate().await?;
    let authkit = common::authkit().await?;
    let direct = client(authkit.base_url())?;
    SessionManager::new(direct.clone(), open(&address).await?).sign_in(login(&direct).await?).await?;
    let real = sql::number(&address, "SELECT length(sealed) FROM workos_auth_sessions").await?;
    println!("a sealed session of the AuthKit for tests has {real} bytes; measured with {SEALED}");
    let size = async || -> Outcome<u64> {
        sql::execute(&address, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
        Ok(fs::metadata(&file)?.len())
    };
    let empty = size().await?;
    let store = open(&address).await?;
    let keys = fill("sqlite", &store).await?;
    println!("sqlite: {} bytes a session", (size().await? - empty) / SESSIONS as u64);
    refresh_all("sqlite", &store, &keys).await?;
    println!("sqlite: {} bytes a session after 2 refreshes of each", (size().await? - empty) / SESSIONS as u64);

    let postgres = Postgres::start()?;
    let address = postgres.address();
    open_sql(&address).await?.migrate().await?;
    let report = async |when: &str| -> Outcome {
        for (what, query) in [
            ("all", "pg_total_relation_size('workos_auth_sessions')"),
            ("the rows", "pg_relation_size('workos_auth_sessions')"),
            (
                "the long values",
                "pg_total_relation_size((SELECT reltoastrelid FROM pg_class WHERE relname = 'workos_auth_sessions'))",
            ),
            ("the indexes", "pg_indexes_size('workos_auth_sessions')"),
            ("the locks", "pg_total_relation_size('workos_auth_locks')"),
        ] {
            let bytes = sql::number(&address, format!("SELECT {query}")).await?;
            println!("postgres, {when}: {what} {} bytes a session", bytes / i64::try_from(SESSIONS)?);
        }
        Ok(())
    };
    let store = open(&address).await?;
    let keys = fill("postgres", &store).await?;
    report("new").await?;
    refresh_all("postgres", &store, &keys).await?;
    report("after 2 refreshes of each").await?;
    drop(postgres);

    let redis = Redis::start()?;
    let used = || -> Outcome<u64> {
        let info = redis.ask(&["info", "memory"])?;
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).ok_or("no memory")?;
        Ok(used.trim().parse()?)
    };
    let empty = used()?;
    fill("redis", &open(&redis.address()).await?).await?;
    println!("redis: {} bytes a session", (used()? - empty) / SESSIONS as u64);
    Ok(())
}

async fn fill(name: &str, store: &BoxSessionStore) -> Outcome<Vec<(String, SessionIndex)>> {
    let start = Instant::now();
    let mut keys = Vec::new();
    for _ in 0..SESSIONS {
        let (key, index) = (sql::random_hash()?, SessionIndex::new(sql::random_hash()?, sql::random_hash()?));
        store.create(&key, &sql::sealed(SEALED)?, &index, SAMPLE).await?;
        keys.push((key, index));
    }
    println!("{name}: {:.0?} a new session, one after the other", start.elapsed() / u32::try_from(SESSIONS)?);
    Ok(keys)
}

async fn refresh_all(name: &str, store: &BoxSessionStore, keys: &[(String, SessionIndex)]) -> Outcome {
    let start = Instant::now();
    for version in 1..=REFRESHES {
        for (key, index) in keys {
            store.replace(key, version, &sql::sealed(SEALED)?, index, SAMPLE).await?;
        }
    }
    println!("{name}: {:.0?} a replacement, one after the other", start.elapsed() / (2 * u32::try_from(keys.len())?));
    Ok(())
}

/// The memory that this process has.
fn resident() -> Outcome<u64> {
    let pages = fs::read_to_string("/proc/self/statm")?;
    Ok(pages.split(' ').nth(1).ok_or("no number")?.parse::<u64>()? * 4_096)
}
