//! A Redis Cluster of three masters, each with a part of the keys.

use std::process::Command;
use std::time::Duration;

use tokio::time::timeout;
use workos_auth::session::{BoxSessionStore, RedisSessionStore, SessionStore};

use crate::common::{self, Outcome};
use crate::redis::Redis;
use crate::server::{Server, eventually, free_port, output};
use crate::sql::random_hash;

struct Cluster {
    nodes: Vec<Redis>,
    /// The node that is killed next.
    next: usize,
}

impl Cluster {
    fn start() -> Outcome<Self> {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let bus = free_port()?.to_string();
            let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", &bus];
            nodes.push(Redis::start_with(&settings)?);
        }
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create", "--cluster-yes"]);
        for node in &nodes {
            create.arg(format!("127.0.0.1:{}", node.port));
        }
        output(&mut create)?;
        let cluster = Self { nodes, next: 0 };
        cluster.is_whole()?;
        Ok(cluster)
    }

    fn is_whole(&self) -> Outcome {
        let says_ok = |node: &Redis| node.ask(&["cluster", "info"]).is_ok_and(|info| info.contains("cluster_state:ok"));
        eventually("the cluster is whole", || self.nodes.iter().all(says_ok))
    }
}

impl Server for Cluster {
    fn address(&self) -> String {
        let nodes: Vec<String> = self.nodes.iter().map(Server::address).collect();
        format!("cluster:{}", nodes.join(" "))
    }

    fn kill(&mut self) -> Outcome {
        self.nodes[self.next].kill()
    }

    fn restart(&mut self) -> Outcome {
        // Long enough for the others to know that it is gone.
        std::thread::sleep(Duration::from_secs(2));
        self.nodes[self.next].restart()?;
        self.next = (self.next + 1) % self.nodes.len();
        self.is_whole()
    }
}

pub(crate) async fn run() -> Outcome {
    let cluster = Cluster::start()?;
    let nobody = RedisSessionStore::cluster([format!("redis://user:hunter2@127.0.0.1:{}/", free_port()?)])?;
    common::is_unknown(BoxSessionStore::new(nobody), "Redis can't be reached").await?;
    common::rules(&cluster.address()).await?;
    common::one_refresh(&common::authkit().await?, &cluster.address()).await?;
    for node in &cluster.nodes {
        let keys = node.ask(&["dbsize"])?;
        println!("a node of the cluster has {} keys", keys.trim());
        if keys.trim() == "0" {
            return Err("a node has nothing: this tests no cluster".into());
        }
    }
    let cluster = lost_node(cluster).await?;
    common::killed_server(cluster, 3).await
}

/// One node is silent, and the others have forgotten the scripts. That isn't the business of their sessions.
async fn lost_node(cluster: Cluster) -> Outcome<Cluster> {
    const KEYS: usize = 30;
    let cover = |cluster: &Cluster, whole: &str| -> Outcome {
        for node in &cluster.nodes {
            node.ask(&["config", "set", "cluster-require-full-coverage", whole])?;
        }
        Ok(())
    };
    cover(&cluster, "no")?;
    let store = common::open(&cluster.address()).await?;
    store.lock(&"0".repeat(64), "owner", Duration::from_secs(1)).await?;
    let signal = |cluster: &Cluster, name: &str| {
        output(Command::new("kill").args([name, &cluster.nodes[0].process().to_string()]))
    };
    signal(&cluster, "-STOP")?;
    let (mut locked, mut lost) = (0, 0);
    while locked < KEYS {
        let key = random_hash()?;
        let slot = cluster.nodes[1].ask(&["cluster", "keyslot", &format!("workos-auth:{key}:lock")])?;
        // The first third of the slots is that of the first node.
        if slot.trim().parse::<u32>()? < 16_384 / 3 + 1 {
            lost += 1;
            continue;
        }
        for node in &cluster.nodes[1..] {
            node.ask(&["script", "flush"])?;
        }
        let free = timeout(Duration::from_secs(1), store.lock(&key, "owner", Duration::from_secs(10))).await;
        if !matches!(free, Ok(Ok(true))) {
            return Err(format!("of a node that is there: {free:?}").into());
        }
        locked += 1;
    }
    signal(&cluster, "-CONT")?;
    cover(&cluster, "yes")?;
    cluster.is_whole()?;
    println!("one node silent, and its {lost} keys; {locked} of the others can be used");
    Ok(cluster)
}
