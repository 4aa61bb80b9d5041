//! The stores that the processes share, and how calls of them go wrong.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;
use workos_auth::ExposeSecret;
use workos_auth::secret::StoredToken;
use workos_auth::session::{
    MemorySessionStore, MemoryTokenStore, SessionIndex, SessionStore, StoredSession, TokenStore,
};

use super::schedule::{Fault, Place, Point};
use super::world::{Life, World};

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// One process's connection to a store.
pub(crate) struct Connection<S> {
    pub(crate) world: Arc<World>,
    pub(crate) life: Arc<Life>,
    pub(crate) store: Arc<S>,
}

impl<S: Send + Sync + 'static> Connection<S> {
    /// A call. What has arrived takes effect, also when nobody waits for the reply any more.
    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        key: &str,
        work: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        self.life.live(self.attempt(what, key, work)).await
    }

    async fn attempt<T: Send + 'static>(
        &self,
        what: &'static str,
        key: &str,
        work: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let mut luck = self.world.luck(&self.life, &format!("{what} {key}"));
        let latency = luck.between(1, 5);
        let fault = self.world.fault(Place::Store, &self.life, None, &mut luck);
        if let Some(fault) = fault {
            self.world.log(format!("life {} calls the store's {what}: {fault:?}", self.life.number));
        }
        let writes = matches!(what, "replace" | "write");
        if writes && self.world.at(Point::Writing, &self.life) {
            return std::future::pending().await;
        }
        if let Some(Fault::NotSent | Fault::LostBefore) = fault {
            sleep(latency).await;
            return Err(broken());
        }
        let (sender, reply) = oneshot::channel();
        let (world, life) = (Arc::clone(&self.world), Arc::clone(&self.life));
        tokio::spawn(async move {
            sleep(latency).await;
            if let Some(Fault::SlowBefore(milliseconds)) = fault {
                sleep(Duration::from_millis(milliseconds)).await;
            }
            let result = work.await;
            if writes && result.is_ok() {
                world.log(format!("life {}'s {what} takes effect", life.number));
                world.at(Point::Written, &life);
            }
            if let Some(Fault::SlowAfter(milliseconds)) = fault {
                sleep(Duration::from_millis(milliseconds)).await;
            }
            drop(sender.send(if fault == Some(Fault::LostAfter) { Err(broken()) } else { result }));
        });
        reply.await.unwrap_or_else(|_| Err(broken()))
    }
}

impl SessionStore for Connection<MemorySessionStore> {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        let (store, name) = (Arc::clone(&self.store), key.to_owned());
        self.call("load", key, async move { store.load(&name).await }).await
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        let (store, name, sealed, index) = (Arc::clone(&self.store), key.to_owned(), sealed.to_owned(), index.clone());
        self.call("create", key, async move { store.create(&name, &sealed, &index, lifetime).await }).await
    }

    async fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> io::Result<bool> {
        let (store, name, sealed, index) = (Arc::clone(&self.store), key.to_owned(), sealed.to_owned(), index.clone());
        self.call("replace", key, async move { store.replace(&name, version, &sealed, &index, lifetime).await }).await
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        let (store, hash) = (Arc::clone(&self.store), hash.to_owned());
        self.call("find", &hash.clone(), async move { store.find(&hash, limit).await }).await
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        let (store, name) = (Arc::clone(&self.store), key.to_owned());
        self.call("remove", key, async move { store.remove(&name, tombstone).await }).await
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        let (store, name, owner) = (Arc::clone(&self.store), key.to_owned(), owner.to_owned());
        self.call("lock", key, async move { store.lock(&name, &owner, lease).await }).await
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        let (store, name, owner) = (Arc::clone(&self.store), key.to_owned(), owner.to_owned());
        self.call("unlock", key, async move { store.unlock(&name, &owner).await }).await
    }
}

/// The token of a device's user, with a lock that ends with the process that holds it.
#[derive(Default)]
pub(crate) struct Device {
    token: MemoryTokenStore,
    lock: Mutex<Lock>,
    freed: Notify,
}

#[derive(Default)]
struct Lock {
    turns: u64,
    /// The turn that is going on, and whose it is.
    held: Option<(u64, Arc<Life>)>,
}

pub(crate) struct Turn {
    device: Arc<Device>,
    number: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lock = self.device.lock.lock().unwrap();
        if lock.held.as_ref().is_some_and(|(number, _)| *number == self.number) {
            lock.held = None;
            self.device.freed.notify_waiters();
        }
    }
}

impl Device {
    async fn turn(self: &Arc<Self>, life: &Arc<Life>) -> Turn {
        loop {
            let freed = self.freed.notified();
            let holder = {
                let mut lock = self.lock.lock().unwrap();
                match &lock.held {
                    Some((_, holder)) if !holder.is_over() => Arc::clone(holder),
                    _ => {
                        lock.turns += 1;
                        let number = lock.turns;
                        lock.held = Some((number, Arc::clone(life)));
                        return Turn { device: Arc::clone(self), number };
                    }
                }
            };
            tokio::select! {
                biased;
                () = freed => {}
                () = holder.end() => {}
            }
        }
    }
}

impl TokenStore for Connection<Device> {
    type Lock = Turn;

    async fn lock(&self) -> io::Result<Turn> {
        self.life.live(async { Ok(self.store.turn(&self.life).await) }).await
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        let store = Arc::clone(&self.store);
        self.call("read", "", async move { store.token.read().await }).await
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        let (store, world) = (Arc::clone(&self.store), Arc::clone(&self.world));
        let token = StoredToken::new(token.expose_secret());
        self.call("write", "", async move {
            let held: serde_json::Value = serde_json::from_str(token.expose_secret()).unwrap();
            world.writes(held["refresh_token"].as_str().unwrap());
            store.token.write(&token).await
        })
        .await
    }

    async fn remove(&self) -> io::Result<()> {
        let store = Arc::clone(&self.store);
        self.call("remove", "", async move { store.token.remove().await }).await
    }
}
