//! Redis with a replica, and Sentinel, which makes the replica the master when the master is gone.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};
use workos_auth::session::{BoxSessionStore, RedisSessionStore, SessionStore};
use workos_auth::{ErrorKind, SessionManager, SessionState};

use crate::common::{self, Outcome, client, login, open};
use crate::redis::Redis;
use crate::server::{Folder, Process, Server, eventually, free_port, listens, output};

/// What Sentinel calls the master and its replicas.
const NAME: &str = "sessions";
pub(crate) const REDIS: &str = "redis://sessions/";
const SENTINELS: usize = 3;

struct Sentinels {
    nodes: [Redis; 2],
    sentinels: Vec<(Process, Folder, u16)>,
}

impl Sentinels {
    fn start() -> Outcome<Self> {
        let master = Redis::start()?;
        let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &master.port.to_string()])?;
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            let port = free_port()?;
            let folder = Folder::new(&format!("sentinel-{port}"))?;
            let file = folder.0.join("sentinel.conf");
            let settings = format!(
                "port {port}\nbind 127.0.0.1\nsentinel monitor {NAME} 127.0.0.1 {} 2\n\
                 sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 3000\n",
                master.port
            );
            fs::write(&file, settings)?;
            let mut command = Command::new("redis-server");
            let process = Process::spawn(command.arg(&file).arg("--sentinel").stdout(Stdio::null()))?;
            eventually("a sentinel listens", || listens(port))?;
            sentinels.push((process, folder, port));
        }
        let this = Self { nodes: [master, replica], sentinels };
        // Each knows the replica and the others, and the replica has everything.
        for (_, _, port) in &this.sentinels {
            let known = |what: &str, count: &str| {
                let says = ask(*port, &["sentinel", "master", NAME]);
                says.is_ok_and(|says| says.contains(&format!("{what}\n{count}\n")))
            };
            eventually("the sentinels know each other", || {
                known("num-slaves", "1") && known("num-other-sentinels", "2")
            })?;
        }
        eventually("the replica follows", || this.follows())?;
        Ok(this)
    }

    /// Whether the replica has what the master has.
    fn follows(&self) -> bool {
        let says = |node: &Redis| node.ask(&["info", "replication"]).unwrap_or_default();
        let offset = |says: &str, name: &str| -> Option<String> {
            says.lines().find_map(|line| line.strip_prefix(name)).map(|offset| offset.trim().to_owned())
        };
        let (master, replica) = (says(&self.nodes[0]), says(&self.nodes[1]));
        let offset = (offset(&master, "master_repl_offset:"), offset(&replica, "slave_repl_offset:"));
        replica.contains("master_link_status:up") && offset.0.is_some() && offset.0 == offset.1
    }

    fn address(&self) -> String {
        let sentinels: Vec<_> =
            self.sentinels.iter().map(|(_, _, port)| format!("redis://127.0.0.1:{port}/")).collect();
        format!("sentinel:{}", sentinels.join(" "))
    }
}

fn ask(port: u16, arguments: &[&str]) -> Outcome<String> {
    output(Command::new("redis-cli").args(["-p", &port.to_string()]).args(arguments))
}

pub(crate) async fn run() -> Outcome {
    let sentinels = block_in_place(Sentinels::start)?;
    let nobody = RedisSessionStore::sentinel([format!("redis://user:hunter2@127.0.0.1:{}/", free_port()?)], REDIS)?;
    common::is_unknown(BoxSessionStore::new(nobody), "Redis").await?;
    common::rules(&sentinels.address()).await?;
    impatient(&sentinels).await?;
    let sentinels = failover(sentinels).await?;
    silent_master(sentinels).await
}

/// The Sentinel that is asked first doesn't answer. Callers who don't wait for the next one get to the master all the same.
async fn impatient(sentinels: &Sentinels) -> Outcome {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let address = sentinels.address();
    let (kind, others) = address.split_once(':').ok_or("no address")?;
    let store = open(&format!("{kind}:redis://127.0.0.1:{}/ {others}", silent.local_addr()?.port())).await?;
    let (start, mut gave_up) = (Instant::now(), 0);
    while timeout(Duration::from_millis(50), store.load("key")).await.is_err() {
        gave_up += 1;
        if start.elapsed() > Duration::from_secs(20) {
            return Err("callers without patience never get to the master".into());
        }
    }
    let took = start.elapsed();
    store.load("key").await?;
    if gave_up == 0 {
        return Err("the silent one wasn't asked: this tests nothing".into());
    }
    println!("a silent Sentinel: {gave_up} callers gave up, and the master was found after {took:.1?}");
    Ok(())
}

/// The master is gone for good. What the replica has is there when it is the master.
async fn failover(mut sentinels: Sentinels) -> Outcome<Sentinels> {
    const SESSIONS: usize = 40;
    let authkit = common::authkit().await?;
    let direct = client(authkit.base_url())?;
    let manager = SessionManager::new(direct.clone(), open(&sentinels.address()).await?);
    let mut handles = Vec::new();
    for _ in 0..SESSIONS {
        handles.push(manager.sign_in(login(&direct).await?).await?);
    }
    block_in_place(|| eventually("the replica follows", || sentinels.follows()))?;
    sentinels.nodes[0].kill()?;
    let (start, mut unknown) = (Instant::now(), 0);
    loop {
        match manager.authenticate(&handles[0]).await {
            SessionState::Active(_) => break,
            SessionState::TemporarilyUnknown(error) if matches!(error.kind(), ErrorKind::Store) => unknown += 1,
            other => return Err(format!("during the failover: {other:?}").into()),
        }
        if start.elapsed() > Duration::from_mins(1) {
            return Err("no failover within a minute".into());
        }
        sleep(Duration::from_millis(100)).await;
    }
    let took = start.elapsed();
    for handle in &handles {
        let state = manager.authenticate(handle).await;
        if !matches!(state, SessionState::Active(_)) {
            return Err(format!("after the failover: {state:?}").into());
        }
    }
    let new = manager.sign_in(login(&direct).await?).await?;

    // The old master comes back, and Sentinel makes it a replica. Nobody writes into it.
    sentinels.nodes[0].restart()?;
    let is_replica = || sentinels.nodes[0].ask(&["role"]).is_ok_and(|role| role.starts_with("slave"));
    block_in_place(|| eventually("the old master is a replica", is_replica))?;
    manager.sign_out(&new, None).await?;
    let state = manager.authenticate(&new).await;
    if unknown == 0 || !matches!(state, SessionState::SignedOut(_)) {
        return Err(format!("{unknown} unknown, and after a sign-out: {state:?}").into());
    }
    println!("the master killed: {unknown} unknown for {took:.1?}, then all of {SESSIONS} replicated sessions active");
    // From now on, the first is the master.
    sentinels.nodes.swap(0, 1);
    Ok(sentinels)
}

/// The master is silent, and nobody waits for its answer as long as the connection does.
async fn silent_master(sentinels: Sentinels) -> Outcome {
    let store = open(&sentinels.address()).await?;
    let key = "0".repeat(64);
    store.lock(&key, "owner", Duration::from_millis(1)).await?;
    block_in_place(|| eventually("the replica follows", || sentinels.follows()))?;
    let master = sentinels.nodes[0].process().to_string();
    output(Command::new("kill").args(["-STOP", &master]))?;
    let start = Instant::now();
    while !matches!(
        timeout(Duration::from_secs(1), store.lock(&key, "owner", Duration::from_mins(1))).await,
        Ok(Ok(true))
    ) {
        if start.elapsed() > Duration::from_mins(1) {
            return Err("the next master isn't found".into());
        }
        sleep(Duration::from_millis(100)).await;
    }
    println!("the master silent: the next one is found after {:.1?}", start.elapsed());
    Ok(())
}
