//! The Redis that Sentinel names.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, RedisError, RedisResult, ServerErrorKind};
use tokio::time::timeout;

use crate::single_flight::{Flight, InFlight, Owner};

/// A server that was silent for so long is no longer taken for the master without asking. It is shorter than any caller waits.
const SILENCE: Duration = Duration::from_millis(900);
/// How long the Sentinels may be asked, one after the other.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a master, and how many masters there were until it came.
type Found = RedisResult<(u64, MultiplexedConnection)>;

/// The server that is the master now, until it fails: then Sentinel is asked again. Clones share their connection.
#[derive(Clone)]
pub(super) struct Master {
    known: Arc<Known>,
    database: i64,
}

struct Known {
    /// Another client for each search: a search that nobody drives must not keep the next one waiting.
    client: Box<dyn Fn() -> RedisResult<SentinelClient> + Send + Sync>,
    config: AsyncConnectionConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// How many masters there were until now.
    count: u64,
    /// The search that is under way, in a task of its own: a caller who gives up stops it for nobody.
    search: Option<Flight<Found>>,
}

impl Master {
    pub(super) fn new(
        client: impl Fn() -> RedisResult<SentinelClient> + Send + Sync + 'static,
        config: AsyncConnectionConfig,
        database: i64,
    ) -> Self {
        let known = Known { client: Box::new(client), config, state: Mutex::default() };
        Self { known: Arc::new(known), database }
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
            self.known.state().forget(number);
        }
        answer
    }

    async fn connection(&self) -> Found {
        loop {
            let flight = match self.find_or_search() {
                Ok(found) => return Ok(found),
                Err(flight) => flight,
            };
            match flight.wait().await {
                Some(found) => return found,
                // Nobody drives its task.
                None => self.known.give_up(&(), &flight),
            }
        }
    }

    fn find_or_search(&self) -> Result<(u64, MultiplexedConnection), Flight<Found>> {
        let mut state = self.known.state();
        if let Some(connection) = &state.connection {
            return Ok((state.count, connection.clone()));
        }
        if let Some(search) = &state.search {
            return Err(search.clone());
        }
        let flight = Flight::new();
        state.search = Some(flight.clone());
        // Unlock first: a runtime that shuts down drops the task at once, and its owner needs the state then.
        drop(state);
        let owner = Owner::new(Arc::clone(&self.known), (), flight.clone());
        tokio::spawn(async move {
            let found = owner.keep_alive(owner.table().search()).await;
            owner.finish(found);
        });
        Err(flight)
    }
}

impl Known {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn search(&self) -> Found {
        let mut client = (self.client)()?;
        let connection = timeout(SEARCH_TIMEOUT, client.get_async_connection_with_config(&self.config));
        let connection = connection.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))?;
        let mut state = self.state();
        state.connection = Some(connection.clone());
        state.count += 1;
        Ok((state.count, connection))
    }
}

impl InFlight for Known {
    type Key = ();
    type Output = Found;

    fn give_up(&self, (): &(), flight: &Flight<Found>) {
        let mut state = self.state();
        if state.search.as_ref().is_some_and(|other| other.is(flight)) {
            state.search = None;
        }
    }

    fn abandoned() -> Found {
        Err(io::Error::from(io::ErrorKind::Interrupted).into())
    }
}

impl State {
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
        if !self.is_answered && self.since.elapsed() >= SILENCE {
            self.master.known.state().forget(self.number);
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
