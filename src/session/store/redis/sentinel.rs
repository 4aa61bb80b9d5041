//! The Redis that Sentinel names.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::Mutex;

/// The server that is the master now, until it fails: then Sentinel is asked again. Clones share their connection.
#[derive(Clone)]
pub(super) struct Master {
    known: Arc<Mutex<Known>>,
    config: AsyncConnectionConfig,
    database: i64,
}

struct Known {
    client: SentinelClient,
    connection: Option<MultiplexedConnection>,
    /// How many masters there were until now.
    count: u64,
}

impl Master {
    pub(super) fn new(client: SentinelClient, config: AsyncConnectionConfig, database: i64) -> Self {
        let known = Known { client, connection: None, count: 0 };
        Self { known: Arc::new(Mutex::new(known)), config, database }
    }

    pub(super) fn database(&self) -> i64 {
        self.database
    }

    pub(super) async fn ask<T>(
        &self,
        request: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let (number, connection) = self.connection().await?;
        let answer = request(connection).await;
        if answer.as_ref().is_err_and(is_over) {
            let mut known = self.known.lock().await;
            // Another caller may have found the next master already.
            if known.count == number {
                known.connection = None;
            }
        }
        answer
    }

    async fn connection(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let mut known = self.known.lock().await;
        if let Some(connection) = &known.connection {
            return Ok((known.count, connection.clone()));
        }
        let connection = known.client.get_async_connection_with_config(&self.config).await?;
        known.connection = Some(connection.clone());
        known.count += 1;
        Ok((known.count, connection))
    }
}

/// Whether this server is no longer there, or no longer the master.
fn is_over(error: &RedisError) -> bool {
    let is_demoted = matches!(
        error.kind(),
        redis::ErrorKind::Server(
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
        )
    );
    is_demoted || error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error()
}
