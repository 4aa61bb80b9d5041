//! PostgreSQL, on a Unix socket in a temporary folder.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use workos_auth::session::{BoxSessionStore, SessionIndex, SessionStore, SqlSessionStore, StoredSession};
use workos_auth::{SessionManager, SessionState};

use crate::common::{self, Outcome, client, expired, login, postgres_options, postgres_pool};
use crate::server::{Folder, Process, Server, output};
use crate::sql;

/// A server that forgets nothing it has acknowledged.
pub(crate) struct Postgres {
    server: Option<Process>,
    binaries: PathBuf,
    folder: Folder,
    kills: u32,
}

impl Postgres {
    pub(crate) fn start() -> Outcome<Self> {
        let folder = Folder::new("postgres")?;
        let data = folder.0.join("data");
        if is_root()? {
            output(Command::new("chown").arg("postgres").arg(&folder.0))?;
        }
        let binaries = binaries()?;
        // No user but this one gets to the socket.
        output(Command::new("chmod").arg("0700").arg(&folder.0))?;
        let mut initialise = as_owner(&binaries.join("initdb"))?;
        initialise.args([
            "--username",
            "postgres",
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        output(initialise.arg("--pgdata").arg(&data))?;
        let mut server = Self { server: None, binaries, folder, kills: 0 };
        server.restart()?;
        Ok(server)
    }

    pub(crate) fn folder(&self) -> String {
        self.folder.0.display().to_string()
    }
}

impl Server for Postgres {
    fn address(&self) -> String {
        format!("postgres:{}", self.folder())
    }

    /// Kills the server, and another time has it kill its processes: "immediate" is how it ends without a checkpoint.
    fn kill(&mut self) -> Outcome {
        let mut server = self.server.take().ok_or("it doesn't run")?;
        self.kills += 1;
        if self.kills.is_multiple_of(2) {
            output(Command::new("kill").args(["-QUIT", &server.0.id().to_string()]))?;
            server.0.wait()?;
        }
        server.kill()
    }

    fn restart(&mut self) -> Outcome {
        let folder = self.folder();
        let mut command = as_owner(&self.binaries.join("postgres"))?;
        command.arg("-D").arg(self.folder.0.join("data")).args(["-c", "listen_addresses="]);
        command.args(["-c", &format!("unix_socket_directories={folder}")]).args(["-c", "max_connections=100"]);
        let log = fs::File::create(self.folder.0.join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Until the last process of a killed server is gone, a new one refuses to start.
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let mut server = Process::spawn(&mut command)?;
            let ready = || {
                let mut ask = Command::new(self.binaries.join("pg_isready"));
                output(ask.args(["--quiet", "--host", &folder])).is_ok()
            };
            while server.0.try_wait()?.is_none() && Instant::now() < until {
                if ready() {
                    self.server = Some(server);
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(30));
            }
            if Instant::now() >= until {
                return Err(fs::read_to_string(self.folder.0.join("log"))?.into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn is_root() -> Outcome<bool> {
    Ok(output(Command::new("id").arg("--user"))?.trim() == "0")
}

/// PostgreSQL doesn't run as root.
fn as_owner(program: &PathBuf) -> Outcome<Command> {
    let mut command = if is_root()? { Command::new("setpriv") } else { Command::new(program) };
    if is_root()? {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    }
    // Its user may not enter the folder that this process is in.
    command.current_dir("/");
    Ok(command)
}

/// Debian keeps them here, by version.
fn binaries() -> Outcome<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").map_err(|error| format!("Debian's postgresql: {error}"))?;
    let newest = versions.filter_map(Result::ok).map(|entry| entry.path().join("bin")).max();
    newest.filter(|folder| folder.join("initdb").exists()).ok_or_else(|| "Debian's postgresql has no initdb".into())
}

pub(crate) async fn run() -> Outcome {
    let postgres = Postgres::start()?;
    let address = postgres.address();
    unreachable().await?;
    sql::missing_tables(&address).await?;
    sql::migrations(&address).await?;
    sql::plan_of_find(&address).await?;
    sql::sweeping(&address).await?;
    sql::nothing_told(&address).await?;
    no_connection_free(&postgres).await?;
    silent(&postgres).await?;
    locked(&postgres).await?;
    migration_beside_writers(&address).await?;
    read_only(&address).await?;
    hot(&postgres).await?;
    common::together(&address).await?;
    common::killed_writers(&address).await?;
    common::killed_server(postgres, 3).await
}

/// Nothing of an address gets into an error.
async fn unreachable() -> Outcome {
    let options = postgres_options("/nowhere/hunter2").password("hunter2");
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_secs(1)).connect_lazy_with(options);
    common::is_unknown(BoxSessionStore::new(SqlSessionStore::postgres(pool)), "the database").await
}

/// Other work of the application keeps all connections of the pool.
async fn no_connection_free(postgres: &Postgres) -> Outcome {
    let authkit = common::authkit().await?;
    let direct = client(authkit.base_url())?;
    let pool = postgres_pool(&postgres.folder(), 2);
    let manager = SessionManager::new(direct.clone(), SqlSessionStore::postgres(pool.clone()));
    let handle = manager.sign_in(login(&direct).await?).await?;
    let taken = (pool.acquire().await?, pool.acquire().await?);
    let start = Instant::now();
    let state = manager.authenticate(&handle).await;
    if !matches!(state, SessionState::TemporarilyUnknown(_)) {
        return Err(format!("without a connection: {state:?}").into());
    }
    let took = start.elapsed();
    drop(taken);
    let state = manager.authenticate(&handle).await;
    if !matches!(state, SessionState::Active(_)) || took > Duration::from_secs(7) {
        return Err(format!("with a connection again, after {took:?}: {state:?}").into());
    }
    println!("no connection free: temporarily unknown after {took:.1?}, and active when one is free");
    Ok(())
}

/// The other ends of all connections are gone without a word. The pool must not wait for them.
async fn silent(postgres: &Postgres) -> Outcome {
    let authkit = common::authkit().await?;
    let direct = client(authkit.base_url())?;
    // The pool would notice by itself, if it asked each connection before it lends it.
    let options = PgPoolOptions::new().max_connections(2).test_before_acquire(false);
    let pool = options.connect_lazy_with(postgres_options(&postgres.folder()));
    let manager = SessionManager::new(direct.clone(), SqlSessionStore::postgres(pool.clone()));
    let handle = manager.sign_in(login(&direct).await?).await?;
    let mut silenced: Vec<i32> = Vec::new();
    let mut taken = Vec::new();
    for _ in 0..2 {
        let mut connection = pool.acquire().await?;
        silenced.push(sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await?);
        taken.push(connection);
    }
    drop(taken);
    sleep(Duration::from_millis(200)).await;
    let signal = |name: &str| -> Outcome {
        for process in &silenced {
            output(Command::new("kill").args([name, &process.to_string()]))?;
        }
        Ok(())
    };
    signal("-STOP")?;
    let (mut unknown, start) = (0, Instant::now());
    let active = loop {
        match manager.authenticate(&handle).await {
            SessionState::Active(_) => break true,
            SessionState::TemporarilyUnknown(_) if start.elapsed() < Duration::from_secs(20) => unknown += 1,
            _ => break false,
        }
    };
    let took = start.elapsed();
    signal("-CONT")?;
    if !active || unknown == 0 {
        return Err(format!("silent connections: {unknown} unknown, active: {active}, after {took:?}").into());
    }
    println!(
        "2 of 2 connections silent: {unknown} temporarily unknown, and active on new connections after {took:.1?}"
    );
    Ok(())
}

/// Somebody keeps the table locked. However many callers give up, the server doesn't run out of connections.
async fn locked(postgres: &Postgres) -> Outcome {
    const CONNECTIONS: u32 = 3;
    const COUNT: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'locked'";
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect_lazy_with(postgres_options(&postgres.folder()).application_name("locked"));
    let store = SqlSessionStore::postgres(pool.clone());
    let (key, index) = (sql::random_hash()?, SessionIndex::new(sql::random_hash()?, sql::random_hash()?));
    store.create(&key, "sealed", &index, Duration::from_hours(1)).await?;
    let mut holder = PgConnection::connect_with(&postgres_options(&postgres.folder())).await?;
    let mut operator = PgConnection::connect_with(&postgres_options(&postgres.folder())).await?;
    let mut lock = holder.begin().await?;
    sqlx::query("LOCK TABLE workos_auth_sessions IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await?;

    let until = Instant::now() + Duration::from_secs(13);
    let mut callers = JoinSet::new();
    for caller in 0..20 {
        let (store, key) = (store.clone(), key.clone());
        callers.spawn(async move {
            let mut answered = 0_u32;
            while Instant::now() < until {
                let patience = if caller % 2 == 0 { Duration::from_millis(100) } else { Duration::from_secs(5) };
                answered += u32::from(timeout(patience, store.load(&key)).await.is_ok());
            }
            answered
        });
    }
    let mut most = 0;
    while Instant::now() < until {
        most = most.max(sqlx::query_scalar(COUNT).fetch_one(&mut operator).await?);
        sleep(Duration::from_millis(100)).await;
    }
    let answered: u32 = callers.join_all().await.into_iter().sum();
    if answered > 0 || most <= i64::from(CONNECTIONS) || most > i64::from(2 * CONNECTIONS) {
        return Err(format!("a locked table: {most} connections at most, {answered} answers").into());
    }
    lock.rollback().await?;
    let start = Instant::now();
    let loaded = timeout(Duration::from_secs(5), store.load(&key)).await??;
    // Every place of the pool can be used again, and nothing else is left.
    let mut taken = Vec::new();
    for _ in 0..CONNECTIONS {
        taken.push(timeout(Duration::from_secs(5), pool.acquire()).await??);
    }
    while sqlx::query_scalar::<_, i64>(COUNT).fetch_one(&mut operator).await? != i64::from(CONNECTIONS) {
        if start.elapsed() > Duration::from_secs(10) {
            return Err("connections are left after a lock".into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    if !matches!(loaded, Some(StoredSession::Live { .. })) {
        return Err(format!("after the lock: {loaded:?}").into());
    }
    println!("a locked table: {most} connections at most for a pool of {CONNECTIONS}, and all is well after it");
    Ok(())
}

/// An application that starts migrates, and nothing waits for that: neither it for writers, nor they for it.
async fn migration_beside_writers(address: &str) -> Outcome {
    let folder = address.strip_prefix("postgres:").ok_or("no address")?;
    let store = common::open_sql(address).await?;
    let mut writer = PgConnection::connect_with(&postgres_options(folder)).await?;
    let mut transaction = writer.begin().await?;
    sqlx::query("UPDATE workos_auth_sessions SET version = version").execute(&mut *transaction).await?;
    timeout(Duration::from_secs(1), store.migrate()).await.map_err(|_| "a migration without work waited")??;
    // With work to do, it waits for a moment, and others behind it no longer than that.
    transaction.rollback().await?;
    let names =
        [("INDEX", "sessions_user"), ("INDEX", "sessions_session"), ("INDEX", "sessions_expiry"), ("TABLE", "locks")];
    for (kind, name) in names {
        sql::execute(address, format!("DROP {kind} workos_auth_{name}")).await?;
        let mut transaction = writer.begin().await?;
        sqlx::query("UPDATE workos_auth_sessions SET version = version").execute(&mut *transaction).await?;
        let migrated = timeout(Duration::from_secs(5), store.migrate()).await?;
        transaction.rollback().await?;
        if migrated.as_ref().is_err_and(|error| !error.to_string().contains("busy")) {
            return Err(format!("beside a writer: {migrated:?}").into());
        }
        store.migrate().await?;
        if sql::number(address, format!("SELECT count(to_regclass('workos_auth_{name}'))")).await? != 1 {
            return Err(format!("{name} isn't made again").into());
        }
    }
    println!("a migration waits for nobody, or only for a moment");
    Ok(())
}

/// A replica, or a primary that became one.
async fn read_only(address: &str) -> Outcome {
    let authkit = common::authkit().await?;
    let direct = client(authkit.base_url())?;
    let Some((_, folder)) = address.split_once(':') else { return Err("no address".into()) };
    let options = postgres_options(folder).options([("default_transaction_read_only", "on")]);
    let replica = SqlSessionStore::postgres(PgPoolOptions::new().connect_lazy_with(options));
    let manager = SessionManager::new(direct.clone(), common::open(address).await?);
    let handle = manager.sign_in(expired(&authkit, &direct).await?).await?;
    let state = SessionManager::new(direct, replica).authenticate(&handle).await;
    let SessionState::TemporarilyUnknown(error) = &state else { return Err(format!("read-only: {state:?}").into()) };
    println!("temporarily unknown: {}", common::sources(error));
    let state = manager.authenticate(&handle).await;
    if matches!(state, SessionState::Active(_)) { Ok(()) } else { Err(format!("after that: {state:?}").into()) }
}

/// A refresh changes no index: Postgres calls such an update HOT.
async fn hot(postgres: &Postgres) -> Outcome {
    const SESSIONS: usize = 100;
    const REFRESHES: u64 = 20;
    let store = common::open(&postgres.address()).await?;
    let updates = async || -> Outcome<(i64, i64)> {
        let mut connection = PgConnection::connect_with(&postgres_options(&postgres.folder())).await?;
        let query = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'workos_auth_sessions'";
        Ok(sqlx::query_as(query).fetch_one(&mut connection).await?)
    };
    let before = updates().await?;
    sql::refresh(&store, SESSIONS, REFRESHES).await?;
    drop(store);
    sleep(Duration::from_millis(1_500)).await;
    let after = updates().await?;
    let (all, hot) = (after.0 - before.0, after.1 - before.1);
    let share = 100 * hot / all.max(1);
    println!("{all} refreshes, {share} % of them changed no index");
    if all < 2_000 || share < 80 { Err("a refresh changes indexes".into()) } else { Ok(()) }
}
