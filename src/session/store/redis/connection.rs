//! The way to Redis: one server, the nodes of a cluster, or the server that Sentinel names.

use redis::aio::{ConnectionLike, ConnectionManager};
#[cfg(feature = "redis-cluster")]
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, Pipeline, RedisFuture, Value};

#[cfg(feature = "redis-sentinel")]
use super::sentinel::Master;

/// Clones share their connections. A lost one is made again with the next request.
#[derive(Clone)]
pub(super) enum Connection {
    Single(ConnectionManager),
    #[cfg(feature = "redis-cluster")]
    Cluster(ClusterConnection),
    #[cfg(feature = "redis-sentinel")]
    Sentinel(Master),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(command),
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(connection) => connection.req_packed_command(command),
            #[cfg(feature = "redis-sentinel")]
            Self::Sentinel(master) => {
                Box::pin(master.ask(async |mut connection| connection.req_packed_command(command).await))
            }
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
            #[cfg(feature = "redis-sentinel")]
            Self::Sentinel(master) => Box::pin(
                master.ask(async move |mut connection| connection.req_packed_commands(pipeline, offset, count).await),
            ),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(connection) => connection.get_db(),
            #[cfg(feature = "redis-sentinel")]
            Self::Sentinel(master) => master.database(),
        }
    }
}
