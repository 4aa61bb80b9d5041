//! Work that goes on in a task of its own, whose result is shared by all who want it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Between two signs of life of a task.
const BEAT: Duration = Duration::from_secs(1);
/// After so long without one, nobody runs the task: its runtime stands still.
const SILENCE: Duration = Duration::from_secs(4);

/// The end that tells the result.
pub(super) struct Teller<T>(watch::Sender<Option<T>>);

/// The end that waits for it.
#[derive(Clone)]
pub(super) struct Listener<T>(watch::Receiver<Option<T>>);

pub(super) fn channel<T>() -> (Teller<T>, Listener<T>) {
    let (sender, receiver) = watch::channel(None);
    (Teller(sender), Listener(receiver))
}

impl<T> Teller<T> {
    /// Tells a result, unless there is one already.
    pub(super) fn tell(&self, result: T) {
        self.0.send_if_modified(|told| {
            let first = told.is_none();
            if first {
                *told = Some(result);
            }
            first
        });
    }

    /// Does the work, unless all who waited for its result go away before it is done.
    pub(super) async fn while_wanted<W: Future>(&self, work: W) -> Option<W::Output> {
        let (mut work, mut unwanted) = (pin!(work), pin!(self.0.closed()));
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => unwanted.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    pub(super) fn has_told(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Does the work, and shows those who wait that somebody is at it.
    pub(super) async fn alive<W: Future>(&self, work: W) -> W::Output {
        let mut work = pin!(work);
        loop {
            match timeout(BEAT, work.as_mut()).await {
                Ok(result) => return result,
                Err(_) => self.0.send_modify(|_| {}),
            }
        }
    }
}

impl<T: Clone> Listener<T> {
    /// The result; `None` when nobody is at it any more.
    pub(super) async fn wait(mut self) -> Option<T> {
        loop {
            if let Some(result) = self.0.borrow_and_update().clone() {
                return Some(result);
            }
            match timeout(SILENCE, self.0.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return None,
            }
        }
    }
}
