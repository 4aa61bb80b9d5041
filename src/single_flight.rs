//! Work that runs once in a task of its own, and whose result is shared by all callers who want it.
//!
//! The task owns an entry in a table ([`Owner`]), so that later callers find the work in flight and wait for the same result.
//! It sends heartbeats: a task can stop without being dropped, when nobody drives its runtime. Then the callers give the entry up,
//! and one of them begins anew.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Between two heartbeats of a task.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// After this long without a heartbeat, nobody drives the task's runtime.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(4);

/// What is known of the work.
struct Progress<T> {
    told: Option<T>,
    heartbeat: Instant,
    is_over: bool,
}

/// The task's end of a channel for one result.
pub(crate) struct Teller<T>(watch::Sender<Progress<T>>);

/// A caller's end of a channel for one result.
pub(crate) struct Listener<T>(watch::Receiver<Progress<T>>);

pub(crate) fn channel<T>() -> (Teller<T>, Listener<T>) {
    let (sender, receiver) = watch::channel(Progress { told: None, heartbeat: Instant::now(), is_over: false });
    (Teller(sender), Listener(receiver))
}

impl<T> Teller<T> {
    /// Sends a result; without effect when there already is one.
    pub(crate) fn tell(&self, result: T) {
        self.0.send_if_modified(|progress| {
            let is_first = progress.told.is_none();
            if is_first {
                progress.told = Some(result);
            }
            is_first
        });
    }

    /// Whether its callers were told early, and nobody drives the work that was to go on.
    fn is_stuck(&self) -> bool {
        let progress = self.0.borrow();
        progress.told.is_some() && !progress.is_over && progress.heartbeat.elapsed() > HEARTBEAT_TIMEOUT
    }

    /// Does the work and sends heartbeats meanwhile.
    pub(crate) async fn keep_alive<W: Future>(&self, work: W) -> W::Output {
        let mut work = pin!(work);
        loop {
            match timeout(HEARTBEAT, work.as_mut()).await {
                Ok(result) => return result,
                Err(_) => self.0.send_modify(|progress| progress.heartbeat = Instant::now()),
            }
        }
    }

    /// Does the work, and stops when the last listener is gone.
    pub(crate) async fn while_wanted<W: Future>(&self, work: W) -> Option<W::Output> {
        let (mut work, mut unwanted) = (pin!(work), pin!(self.0.closed()));
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => unwanted.as_mut().poll(context).map(|()| None),
        })
        .await
    }
}

impl<T: Clone> Listener<T> {
    /// The result; `None` when the task is gone, or nobody drives it.
    pub(crate) async fn wait(mut self) -> Option<T> {
        loop {
            if let Some(result) = &self.0.borrow_and_update().told {
                return Some(result.clone());
            }
            match timeout(HEARTBEAT_TIMEOUT, self.0.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return None,
            }
        }
    }
}

/// Work in flight, as the table and the callers hold it.
pub(crate) struct Flight<T>(Arc<Teller<T>>);

impl<T> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Flight<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(channel().0))
    }

    /// Whether both are the same work.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Sends a result; without effect when there already is one.
    pub(crate) fn tell(&self, result: T) {
        self.0.tell(result);
    }

    pub(crate) fn has_told(&self) -> bool {
        self.0.0.borrow().told.is_some()
    }

    /// The result; `None` when nobody drives the task.
    pub(crate) async fn wait(&self) -> Option<T>
    where
        T: Clone,
    {
        if self.0.is_stuck() { None } else { Listener(self.0.0.subscribe()).wait().await }
    }

    /// The last result of the work, which is over.
    fn end(&self, result: T) {
        self.0.0.send_modify(|progress| progress.is_over = true);
        self.0.tell(result);
    }
}

/// A table of work in flight, at most one for each key.
pub(crate) trait InFlight {
    type Key;
    type Output;

    /// Removes the entry of this flight; without effect when the key has another entry.
    fn give_up(&self, key: &Self::Key, flight: &Flight<Self::Output>);

    /// The result for callers whose task was dropped.
    fn abandoned() -> Self::Output;
}

/// Owns an in-flight entry; removes it if the task dies.
pub(crate) struct Owner<F: InFlight> {
    table: Arc<F>,
    key: F::Key,
    flight: Flight<F::Output>,
}

impl<F: InFlight> Owner<F> {
    pub(crate) fn new(table: Arc<F>, key: F::Key, flight: Flight<F::Output>) -> Self {
        Self { table, key, flight }
    }

    pub(crate) fn table(&self) -> &Arc<F> {
        &self.table
    }

    pub(crate) fn key(&self) -> &F::Key {
        &self.key
    }

    pub(crate) fn flight(&self) -> &Flight<F::Output> {
        &self.flight
    }

    /// Does the work and sends heartbeats meanwhile.
    pub(crate) async fn keep_alive<W: Future>(&self, work: W) -> W::Output {
        self.flight.0.keep_alive(work).await
    }

    /// Removes the entry, and then sends the result: later callers begin anew.
    pub(crate) fn finish(self, result: F::Output) {
        self.table.give_up(&self.key, &self.flight);
        self.flight.end(result);
    }
}

impl<F: InFlight> Drop for Owner<F> {
    fn drop(&mut self) {
        self.table.give_up(&self.key, &self.flight);
        self.flight.end(F::abandoned());
    }
}
