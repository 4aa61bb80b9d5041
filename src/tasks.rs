//! The work that a client does in tasks of its own, which goes on when its caller is cancelled. The end of the process would cut it off.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::Client;

/// How many tasks of a client and its clones are under way.
#[derive(Default)]
pub(crate) struct Tasks(watch::Sender<usize>);

/// A task that is under way, until it is done or dropped.
struct UnderWay(Arc<Tasks>);

impl Tasks {
    /// Begins a task that a shutdown must wait for.
    pub(crate) fn spawn<F>(self: &Arc<Self>, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.send_modify(|count| *count += 1);
        let under_way = UnderWay(Arc::clone(self));
        tokio::spawn(async move {
            let _under_way = under_way;
            work.await
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

/// # Before the process ends
impl<K> Client<K> {
    /// Waits until no refresh and no write is under way that this client, its clones and the session layers made with it have begun.
    ///
    /// They go on when their callers are gone, and a process that ends first loses the new tokens. So stop taking requests, wait for
    /// this while the runtime still runs, and end. While WorkOS fails, a refresh may take a minute. A store that stays away takes longer:
    /// a new pair is written again for 10 minutes. So set a limit:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = workos_auth::PublicClient::new("client_123")?;
    /// // after the server has stopped
    /// if tokio::time::timeout(Duration::from_secs(60), client.idle()).await.is_err() {
    ///     eprintln!("some sessions may be lost: their new tokens could not be written");
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn idle(&self) {
        let tasks: Arc<Tasks> = self.core.shared.get();
        // The sender is in `tasks`, so this never fails.
        drop(tasks.0.subscribe().wait_for(|count| *count == 0).await);
    }

    /// Begins a task that [`idle`](Self::idle) waits for.
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.core.shared.get::<Tasks>().spawn(work)
    }
}
