//! The Redis that Sentinel names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::Mutex;

/// A server that was silent for so long is no longer taken for the master without asking. It is shorter than any caller waits.
const SILENCE: Duration = Duration::from_millis(900);

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
        let mut waiting = Waiting { master: self, number, since: Instant::now(), is_answered: false };
        let answer = request(connection).await;
        waiting.is_answered = true;
        if answer.as_ref().is_err_and(is_over) {
            self.known.lock().await.forget(number);
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

impl Known {
    /// Another caller may have found the next master already.
    fn forget(&mut self, number: u64) {
        if self.count == number {
            self.connection = None;
        }
    }
}

/// A request whose answer isn't there yet. Its caller may stop waiting before the connection's own time limit is over.
struct Waiting<'a> {
    master: &'a Master,
    number: u64,
    since: Instant,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered
            && self.since.elapsed() >= SILENCE
            && let Ok(mut known) = self.master.known.try_lock()
        {
            known.forget(self.number);
        }
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
