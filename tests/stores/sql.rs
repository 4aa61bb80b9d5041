//! What both SQL databases must do.

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};
use workos_auth::session::{BoxSessionStore, SessionIndex, SessionStore, SqlSessionStore};
use workos_auth::{ExposeSecret, SessionManager, SessionState};

use crate::common::{
    self, Outcome, Process, authkit, client, expired, open_sql, postgres_options, record, recorded, sources,
};
use crate::sqlite;

const LONG: Duration = Duration::from_hours(1);
/// The length of a sealed session, about: `measure` prints that of a real one.
pub(crate) const SEALED: usize = 2_600;

/// Runs statements of the test, as an operator would.
pub(crate) async fn execute(address: &str, statements: impl Into<String>) -> Outcome {
    let statements = AssertSqlSafe(statements.into());
    if let Some(folder) = address.strip_prefix("postgres:") {
        let mut connection = PgConnection::connect_with(&postgres_options(folder)).await?;
        sqlx::raw_sql(statements).execute(&mut connection).await?;
    } else {
        let mut connection = SqliteConnection::connect(address).await?;
        sqlx::raw_sql(statements).execute(&mut connection).await?;
    }
    Ok(())
}

pub(crate) async fn number(address: &str, query: impl Into<String>) -> Outcome<i64> {
    let query = AssertSqlSafe(query.into());
    Ok(if let Some(folder) = address.strip_prefix("postgres:") {
        let mut connection = PgConnection::connect_with(&postgres_options(folder)).await?;
        sqlx::query_scalar(query).fetch_one(&mut connection).await?
    } else {
        let mut connection = SqliteConnection::connect(address).await?;
        sqlx::query_scalar(query).fetch_one(&mut connection).await?
    })
}

pub(crate) async fn missing_tables(address: &str) -> Outcome {
    common::is_unknown(BoxSessionStore::new(open_sql(address).await?), "call `migrate`").await
}

/// Processes that all migrate at once, into an empty database.
pub(crate) async fn migrations(address: &str) -> Outcome {
    const AT_ONCE: usize = 8;
    let start = |_| Process::start("--migrate", &[address]);
    let mut processes = (0..AT_ONCE).map(start).collect::<Outcome<Vec<_>>>()?;
    for process in &mut processes {
        writeln!(process.stdin)?;
    }
    for process in &mut processes {
        let answer = block_in_place(|| process.answer())?;
        if answer != "migrated" {
            return Err(answer.into());
        }
    }
    // And again, with a session in it.
    let store = open_sql(address).await?;
    let key = "a".repeat(64);
    store.create(&key, "sealed", &SessionIndex::new("b".repeat(64), "c".repeat(64)), LONG).await?;
    store.migrate().await?;
    if store.load(&key).await?.is_none() {
        return Err("a second migration lost a session".into());
    }
    println!("{AT_ONCE} processes migrated at once");
    Ok(())
}

/// `count` sessions whose lifetime was over two days ago.
async fn plant_expired(address: &str, count: usize) -> Outcome {
    let (series, key, over) = if address.starts_with("postgres") {
        (
            "generate_series(1, ",
            "decode(md5(random()::text) || md5(random()::text), 'hex')",
            "now() - interval '2 days'",
        )
    } else {
        let series = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ";
        (series, "randomblob(32)", "(unixepoch() - 2 * 86400) * 1000")
    };
    let end = if address.starts_with("postgres") { ")" } else { ") SELECT i FROM n)" };
    let insert = "INSERT INTO workos_auth_sessions (key, version, sealed, expires)";
    execute(address, format!("{insert} SELECT {key}, 1, 'expired', {over} FROM {series}{count}{end}")).await
}

/// Batches have their size, also when several processes sweep; what isn't expired stays; and new sessions sweep by themselves.
pub(crate) async fn sweeping(address: &str) -> Outcome {
    const EXPIRED: &str = "SELECT count(*) FROM workos_auth_sessions WHERE sealed = 'expired'";
    const OTHERS: &str = "SELECT count(*) FROM workos_auth_sessions WHERE sealed <> 'expired'";
    let store = open_sql(address).await?;
    let index = SessionIndex::new("b".repeat(64), "c".repeat(64));
    // The first new session of a store sweeps. That must not meet the counting.
    store.create(&"d".repeat(64), "live", &index, LONG).await?;
    sleep(Duration::from_millis(300)).await;
    let others = number(address, OTHERS).await?;
    plant_expired(address, 1_000).await?;
    let mut batches = Vec::new();
    loop {
        let before = number(address, EXPIRED).await?;
        let swept = store.sweep(300).await?;
        if before - number(address, EXPIRED).await? != i64::try_from(swept)? {
            return Err(format!("swept {swept} of {before}").into());
        }
        batches.push(swept);
        if swept < 300 {
            break;
        }
    }
    if batches != [300, 300, 300, 100] || number(address, OTHERS).await? != others {
        return Err(format!("batches of {batches:?}").into());
    }

    plant_expired(address, 1_000).await?;
    let sweep = |_| {
        let store = store.clone();
        tokio::spawn(async move { store.sweep(250).await })
    };
    let mut swept = 0;
    for task in (0..8).map(sweep).collect::<Vec<_>>() {
        swept += task.await??;
    }
    swept += store.sweep(1_000).await?;
    let locked = store.lock(&"e".repeat(64), "owner", Duration::from_millis(1)).await?;
    sleep(Duration::from_millis(20)).await;
    let locks = store.sweep(10).await?;
    if swept != 1_000 || number(address, EXPIRED).await? != 0 || !locked || locks != 1 {
        return Err(format!("eight at once swept {swept}, and {locks} locks").into());
    }

    plant_expired(address, 200).await?;
    let fresh = open_sql(address).await?;
    fresh.create(&"f".repeat(64), "live", &index, LONG).await?;
    let until = Instant::now() + Duration::from_secs(10);
    while number(address, EXPIRED).await? > 0 {
        if Instant::now() > until {
            return Err("a new session doesn't sweep".into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    println!("expired rows are swept in bounded batches: {batches:?}");
    Ok(())
}

/// `find` reads through the two indexes, however many sessions there are.
pub(crate) async fn plan_of_find(address: &str) -> Outcome {
    if address.starts_with("postgres") {
        // Counted by Postgres, in the statements as they are sent.
        let scans = "SELECT sum(idx_scan)::bigint FROM pg_stat_user_indexes WHERE indexrelname LIKE 'workos_auth_sessions_%s%er'
            OR indexrelname LIKE 'workos_auth_sessions_session'";
        let reads = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'workos_auth_sessions'";
        plant_expired(address, 5_000).await?;
        execute(address, "ANALYZE workos_auth_sessions").await?;
        sleep(Duration::from_millis(1_500)).await;
        let before = (number(address, scans).await?, number(address, reads).await?);
        let store = open_sql(address).await?;
        for _ in 0..10 {
            store.find(&"b".repeat(64), 100).await?;
        }
        drop(store);
        sleep(Duration::from_millis(1_500)).await;
        let after = (number(address, scans).await?, number(address, reads).await?);
        if after.0 < before.0 + 20 || after.1 != before.1 {
            return Err(format!("find: index and table scans {before:?}, then {after:?}").into());
        }
        execute(address, "DELETE FROM workos_auth_sessions WHERE sealed = 'expired'").await?;
    } else {
        let source = include_str!("../../src/session/store/sql/sqlite.rs");
        let find = source.split("find: \"").nth(1).and_then(|rest| rest.split('"').next()).ok_or("no statement")?;
        let plan = sqlite::plan(address, find.to_owned()).await?;
        let indexes = ["workos_auth_sessions_user", "workos_auth_sessions_session"];
        if !indexes.iter().all(|index| plan.contains(index)) || plan.contains("SCAN") {
            return Err(format!("find: {plan}").into());
        }
    }
    println!("find reads the indexes, not the table");
    Ok(())
}

/// Neither a trace of any level nor an error has a value, a key or a handle in it.
pub(crate) async fn nothing_told(address: &str) -> Outcome {
    let authkit = authkit().await?;
    let direct = client(authkit.base_url())?;
    let store = open_sql(address).await?;
    let manager = SessionManager::new(direct.clone(), store.clone());
    record();
    let handle = manager.sign_in(expired(&authkit, &direct).await?).await?;
    let state = manager.authenticate(&handle).await;
    let SessionState::Active(session) = &state else { return Err(format!("{state:?}").into()) };
    let planted = "hunter2".repeat(9) + "h";
    let refused = [
        store.load(&planted).await.err(),
        store.create(&planted, "hunter2", &SessionIndex::new("hunter2", "hunter2"), LONG).await.err(),
        store.lock(&planted, "hunter2", LONG).await.err(),
    ];
    manager.sign_out(&handle, None).await?;
    let traces = recorded();
    if !traces.contains("workos_auth_sessions") || !traces.contains("sqlx") {
        return Err("sqlx traces nothing: this tests nothing".into());
    }
    let token = session.access_token().expose_secret();
    for secret in ["hunter2", handle.expose_secret(), token] {
        if traces.contains(secret) {
            return Err(format!("traced: {secret}").into());
        }
    }
    for error in refused.into_iter().flatten() {
        let text = format!("{} {error:?}", sources(&error));
        if text.contains("hunter2") {
            return Err(format!("told: {text}").into());
        }
    }
    println!("{} bytes of traces, and no value in them", traces.len());
    Ok(())
}

/// New sessions that are refreshed over and over.
pub(crate) async fn refresh(store: &BoxSessionStore, sessions: usize, refreshes: u64) -> Outcome {
    for session in 0..sessions {
        let (key, user) = (random_hash()?, random_hash()?);
        let index = SessionIndex::new(user, random_hash()?);
        store.create(&key, &sealed(SEALED)?, &index, LONG).await?;
        for version in 1..=refreshes {
            if !store.replace(&key, version, &sealed(SEALED)?, &index, LONG).await? {
                return Err(format!("session {session} has lost version {version}").into());
            }
        }
    }
    Ok(())
}

/// The text that the documentation shows is the one that is run.
pub(crate) fn documented() -> Outcome {
    let page = include_str!("../../docs/stores.md");
    for migration in [SqlSessionStore::POSTGRES_MIGRATION, SqlSessionStore::SQLITE_MIGRATION] {
        if !page.contains(&format!("```sql\n{migration}```\n")) {
            return Err("docs/stores.md shows another migration".into());
        }
    }
    Ok(())
}

/// 64 hexadecimal digits.
pub(crate) fn random_hash() -> Outcome<String> {
    use std::fmt::Write;
    let mut hash = String::new();
    for byte in random_bytes::<32>()? {
        write!(hash, "{byte:02x}")?;
    }
    Ok(hash)
}

/// As long as a sealed session, and as hard to compress.
pub(crate) fn sealed(length: usize) -> Outcome<String> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = vec![0; length];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let sealed = bytes.iter().map(|byte| char::from(DIGITS[usize::from(byte & 63)])).collect();
    Ok(sealed)
}

fn random_bytes<const N: usize>() -> Outcome<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
