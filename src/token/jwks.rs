//! The keys that access tokens are signed with (RFC 7517), fetched when they are needed and prepared once.
//!
//! There is one fetch at a time. It has a task of its own, so it goes on when a caller is cancelled, and its result counts for every
//! caller. The next fetch begins after a pause, which counts from the end of the last one.
//!
//! It doesn't use `single_flight.rs`: a caller may wait on a runtime without a timer, a fetch on another runtime may be slow without
//! heartbeats, and a fetch that ended still matters, for the pause.

use std::collections::HashMap;
use std::fmt;
use std::future::{poll_fn, ready};
use std::pin::pin;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::{self, Handle};
use tokio::sync::watch;

use super::object::Object;
use crate::base64url::BASE64URL;
use crate::error::{Error, TokenError};
use crate::id::{ClientId, Issuer};
use crate::runtime::{Clock, Moment};
use crate::transport::{self, Body, Call, Core, RequestKind, Route, TransportError};

/// Keys of this age are fetched again in the background, so that no request waits for them.
const KEYS_FETCHED_AGAIN_AFTER: Duration = Duration::from_secs(8 * 60);
/// How long keys are used.
const KEYS_USED_FOR: Duration = Duration::from_secs(10 * 60);
/// The same while the endpoint is unavailable.
const STALE_KEYS_USED_FOR: Duration = Duration::from_secs(60 * 60);
/// From the end of one fetch to the beginning of the next.
const FETCH_PAUSE: Duration = Duration::from_secs(30);
/// The same while there are no keys at all, so that no token can be verified.
const FETCH_PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(5);
/// How long after a failed fetch the endpoint counts as unavailable: stale keys are used without waiting for the next fetch.
const OUTAGE_ASSUMED_FOR: Duration = Duration::from_secs(2 * 60);
/// How long a fetch may take, with all its attempts.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// After this long, nobody drives the runtime of a fetch: another one may begin.
const FETCH_ABANDONED_AFTER: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: Option<String>,
    kty: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// Where an issuer says what it is (RFC 8414 §3).
const ISSUER_METADATA: &str = "/.well-known/oauth-authorization-server";

/// The metadata of an issuer (RFC 8414 §2).
#[derive(Deserialize)]
struct IssuerMetadata {
    issuer: String,
    jwks_uri: String,
}

/// Who publishes the keys. Its base URL is that of the core.
#[derive(Clone, Debug)]
pub(crate) enum KeySource {
    /// The API, for the sessions of this application.
    Client(ClientId),
    /// An issuer, where its metadata says.
    Issuer(Issuer),
}

/// A prepared key.
pub(crate) struct VerifyingKey {
    pub(super) kid: String,
    n: Vec<u8>,
    e: Vec<u8>,
    parsed: ParsedPublicKey,
    /// The encoded header of the first token it verified. The signer's other tokens have the same header, which needs no reading again.
    header: OnceLock<String>,
}

impl VerifyingKey {
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        self.parsed.verify_sig(message, signature).map_err(|_| TokenError::WrongSignature)
    }

    /// Keeps the header of a token that this key has verified.
    pub(super) fn keep_header(&self, header: &str) {
        if self.header.get().is_none() {
            let _ = self.header.set(header.to_owned());
        }
    }

    pub(super) fn has_header(&self, header: &str) -> bool {
        self.header.get().is_some_and(|kept| kept == header)
    }
}

/// A usable key, or why it was rejected.
type Key = Result<Arc<VerifyingKey>, TokenError>;

struct KeySet {
    keys: HashMap<String, Key>,
    fetched: Moment,
}

/// The keys of a client and its clones, by client ID. All their verifiers share them.
#[derive(Default)]
pub(crate) struct KeyCaches(Mutex<HashMap<ClientId, Arc<Jwks>>>);

impl KeyCaches {
    pub(super) fn of(&self, core: &Arc<Core>, client_id: &ClientId) -> Arc<Jwks> {
        let mut caches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Jwks::new(core, KeySource::Client(client_id.clone())));
        Arc::clone(caches.entry(client_id.clone()).or_insert_with(new))
    }
}

/// The keys of one client ID, or of one issuer.
pub(super) struct Jwks {
    /// The core keeps these keys, so they must not keep it; each verifier does.
    core: Weak<Core>,
    clock: Arc<dyn Clock>,
    source: KeySource,
    /// Every check reads them, on all threads at once and without a lock. They are only written while the state is locked.
    keys: ArcSwapOption<KeySet>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The fetch in flight.
    fetch: Option<Fetch>,
    /// How the last fetch ended, and when.
    last: Option<(Moment, Fetched)>,
    /// The number of fetches so far, which tells one from the next.
    fetches: u64,
}

struct Fetch {
    number: u64,
    runtime: runtime::Id,
    /// In real time, not by the client's clock: a runtime may stand still.
    began: Instant,
    result: watch::Receiver<Option<Fetched>>,
}

/// How a fetch ended. The keys themselves are in the state.
type Fetched = Result<(), Error>;

/// A fetch to wait for.
struct Awaited {
    result: watch::Receiver<Option<Fetched>>,
    /// This caller began it.
    began_now: bool,
    /// It is on another runtime than the caller.
    elsewhere: bool,
}

impl Jwks {
    pub(super) fn new(core: &Arc<Core>, source: KeySource) -> Self {
        let clock = Arc::clone(&core.runtime.clock);
        Self { core: Arc::downgrade(core), clock, source, keys: ArcSwapOption::empty(), state: Mutex::default() }
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// The key with this ID, if it is known without waiting.
    pub(super) fn at_hand(self: &Arc<Self>, kid: &str) -> Option<Key> {
        self.find(|keys| keys.get(kid).cloned())
    }

    /// Whether this key is known without waiting, and still published.
    pub(super) fn has_at_hand(self: &Arc<Self>, key: &VerifyingKey) -> bool {
        let published = self.find(|keys| match keys.get(&key.kid) {
            Some(Ok(published)) => Some(ptr::eq(Arc::as_ptr(published), key)),
            Some(Err(_)) | None => None,
        });
        published == Some(true)
    }

    /// The key that has verified a token with the same header, if it is known without waiting.
    pub(super) fn by_header(self: &Arc<Self>, header: &str) -> Option<Arc<VerifyingKey>> {
        self.find(|keys| keys.values().flatten().find(|key| key.has_header(header)).cloned())
    }

    fn find<T>(self: &Arc<Self>, look: impl FnOnce(&HashMap<String, Key>) -> Option<T>) -> Option<T> {
        let (key, age) = self.known(KEYS_USED_FOR, look)?;
        if age >= KEYS_FETCHED_AGAIN_AFTER {
            self.fetch();
        }
        Some(key)
    }

    /// The key with this ID. It waits for a fetch, but no longer than this.
    pub(super) async fn key(self: &Arc<Self>, kid: &str, timeout: Duration) -> Result<Arc<VerifyingKey>, Error> {
        let too_late = || Err(Error::keys_unavailable(Some(Error::from(TransportError::timeout()))));
        match within(timeout, self.fetched(kid)).await {
            Some(key) => key,
            None => self.kept(kid, STALE_KEYS_USED_FOR).unwrap_or_else(too_late),
        }
    }

    async fn fetched(self: &Arc<Self>, kid: &str) -> Result<Arc<VerifyingKey>, Error> {
        loop {
            let fetch = self.fetch();
            let outage = self.outage();
            // A fetch may have ended since the caller looked.
            if let Some(key) = self.kept(kid, if outage.is_some() { STALE_KEYS_USED_FOR } else { KEYS_USED_FOR }) {
                return key;
            }
            let Some(Awaited { mut result, began_now, elsewhere }) = fetch else {
                return Err(Error::keys_unavailable(outage));
            };
            // If this runtime has shut down, it drops a task at once. It has no timer either, so don't wait on it.
            if elsewhere && tokio::spawn(ready(())).await.is_err() {
                return Err(Error::keys_unavailable(outage));
            }
            let result = result.wait_for(Option::is_some).await.map(|result| result.clone());
            let error = match result {
                Ok(Some(Ok(()))) if began_now => Error::token(TokenError::UnknownKey),
                // The key may have been published after the fetch began.
                Ok(Some(Ok(()))) => Error::keys_unavailable(None),
                Ok(Some(Err(error))) => Error::keys_unavailable(Some(error)),
                // The fetch's runtime is gone. Begin a new one on this runtime.
                Ok(None) | Err(_) if began_now => return Err(Error::keys_unavailable(Some(Error::abandoned()))),
                Ok(None) | Err(_) => continue,
            };
            return self.kept(kid, STALE_KEYS_USED_FOR).unwrap_or(Err(error));
        }
    }

    /// The key with this ID, if its set is younger than this.
    fn kept(&self, kid: &str, age: Duration) -> Option<Result<Arc<VerifyingKey>, Error>> {
        let (key, _) = self.known(age, |keys| keys.get(kid).cloned())?;
        Some(key.map_err(Error::token))
    }

    /// What is found among the keys, and their age, if they are younger than this.
    fn known<T>(
        &self,
        limit: Duration,
        look: impl FnOnce(&HashMap<String, Key>) -> Option<T>,
    ) -> Option<(T, Duration)> {
        let known = self.keys.load();
        let known = known.as_ref()?;
        let age = self.age(known.fetched);
        if age >= limit {
            return None;
        }
        Some((look(&known.keys)?, age))
    }

    /// Why the endpoint counts as unavailable, if it does.
    fn outage(&self) -> Option<Error> {
        match &self.state().last {
            Some((ended, Err(error))) if self.age(*ended) < OUTAGE_ASSUMED_FOR => Some(error.clone()),
            _ => None,
        }
    }

    fn age(&self, moment: Moment) -> Duration {
        moment.age(&*self.clock)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fetch in flight, or a new one. `None` when the last one ended a moment ago, or there is no runtime.
    fn fetch(self: &Arc<Self>) -> Option<Awaited> {
        let here = Handle::try_current().ok()?;
        let mut state = self.state();
        if let Some(fetch) = state.fetch.as_ref().filter(|fetch| fetch.began.elapsed() < FETCH_ABANDONED_AFTER) {
            let elsewhere = fetch.runtime != here.id();
            return Some(Awaited { result: fetch.result.clone(), began_now: false, elsewhere });
        }
        let usable = self.keys.load().as_ref().is_some_and(|keys| self.age(keys.fetched) < STALE_KEYS_USED_FOR);
        let pause = if usable { FETCH_PAUSE } else { FETCH_PAUSE_WITHOUT_KEYS };
        if state.last.as_ref().is_some_and(|(ended, _)| self.age(*ended) < pause) {
            return None;
        }
        let (sender, result) = watch::channel(None);
        state.fetches += 1;
        let number = state.fetches;
        let fetch = Fetch { number, runtime: here.id(), began: Instant::now(), result: result.clone() };
        state.fetch = Some(fetch);
        // Unlock first: a runtime that shuts down drops the task at once, which needs the state then.
        drop(state);
        here.spawn(FetchTask { jwks: Arc::clone(self), number, sender }.run());
        Some(Awaited { result, began_now: true, elsewhere: false })
    }

    async fn download(&self) -> Result<HashMap<String, Key>, Error> {
        let core = self.core.upgrade().ok_or_else(Error::abandoned)?;
        let route = match &self.source {
            KeySource::Client(client_id) => Route::of("/sso/jwks/{client_id}", client_id)?,
            KeySource::Issuer(issuer) => {
                let metadata: IssuerMetadata = get(&core, ISSUER_METADATA.into()).await?;
                // RFC 8414 §3.3. Keys of another origin would be those of another server.
                let path = issuer.path_of(&metadata.jwks_uri).filter(|_| metadata.issuer == issuer.as_str());
                Route::joined("{jwks_uri}", path.ok_or_else(Error::issuer_metadata)?)?
            }
        };
        let document = get(&core, route).await?;
        let known = self.keys.load();
        Ok(prepare(document, known.as_ref().map(|known| &known.keys)))
    }
}

/// One of the documents that lead to the keys.
async fn get<T: DeserializeOwned>(core: &Core, route: Route) -> Result<T, Error> {
    let call = Call { method: Method::GET, route, authorization: None, body: Body::None, kind: RequestKind::Keys };
    let reply = core.send(call).await.map_err(|failure| failure.error)?;
    transport::read(reply).map(|Object(document)| document).map_err(|failure| failure.error)
}

/// Owns the fetch in flight; removes it if the task dies.
struct FetchTask {
    jwks: Arc<Jwks>,
    number: u64,
    sender: watch::Sender<Option<Fetched>>,
}

impl FetchTask {
    async fn run(self) {
        let keys = tokio::time::timeout(FETCH_TIMEOUT, self.jwks.download()).await;
        self.settle(keys.unwrap_or_else(|_elapsed| Err(Error::from(TransportError::timeout()))));
    }

    fn settle(&self, keys: Result<HashMap<String, Key>, Error>) {
        let now = Moment::now(&*self.jwks.clock);
        let mut state = self.jwks.state();
        if state.fetch.take_if(|fetch| fetch.number == self.number).is_none() {
            return;
        }
        let result = keys.map(|keys| self.jwks.keys.store(Some(Arc::new(KeySet { keys, fetched: now }))));
        state.last = Some((now, result.clone()));
        drop(state);
        self.sender.send_replace(Some(result));
    }
}

impl Drop for FetchTask {
    fn drop(&mut self) {
        if thread::panicking() {
            // The transport panicked. This counts as a failure, so that the pause limits how often it does so.
            self.settle(Err(Error::abandoned()));
        }
        self.jwks.state().fetch.take_if(|fetch| fetch.number == self.number);
    }
}

/// The output of a future, if it is ready in time. The timer needs a runtime, so it is made only when there is something to wait for.
async fn within<F: Future>(timeout: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        Poll::Ready(output) => Some(output),
        Poll::Pending => tokio::time::timeout(timeout, future).await.ok(),
    }
}

/// Prepares each key once; a key that was known before keeps its value. A key that can't be read or used is ignored (RFC 7517 §5), unless
/// no other has its ID: then it says why a token is refused.
fn prepare(document: Document, known: Option<&HashMap<String, Key>>) -> HashMap<String, Key> {
    let mut keys = HashMap::new();
    for jwk in document.keys {
        let Ok(Object(jwk)) = Object::<Jwk>::deserialize(jwk) else { continue };
        let Some(kid) = &jwk.kid else { continue };
        let key = parse(kid, &jwk, known.and_then(|known| known.get(kid)?.as_ref().ok()));
        match (keys.get(kid), &key) {
            (None | Some(Err(TokenError::UnsuitableKey)), _) => drop(keys.insert(kid.clone(), key)),
            (Some(_), Ok(_)) => drop(keys.insert(kid.clone(), Err(TokenError::DuplicateKey))),
            (Some(_), Err(_)) => {}
        }
    }
    keys
}

/// RSA of at least 2048 bits, for signatures with RS256 (RFC 8725 §3.1, §3.5).
fn parse(kid: &str, jwk: &Jwk, known: Option<&Arc<VerifyingKey>>) -> Key {
    let fits = jwk.kty.as_deref() == Some("RSA")
        && jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
        && jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"))
        && jwk.alg.as_deref().is_none_or(|alg| alg == "RS256");
    let decode = |text: &Option<String>| BASE64URL.decode(text.as_ref()?).ok();
    let (Some(n), Some(e)) = (decode(&jwk.n), decode(&jwk.e)) else { return Err(TokenError::UnsuitableKey) };
    if !fits || n.len() < 256 {
        return Err(TokenError::UnsuitableKey);
    }
    if let Some(known) = known.filter(|known| known.n == n && known.e == e) {
        return Ok(Arc::clone(known));
    }
    let parsed = PublicKeyComponents { n: &n, e: &e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| TokenError::UnsuitableKey)?;
    Ok(Arc::new(VerifyingKey { kid: kid.to_owned(), n, e, parsed, header: OnceLock::new() }))
}

impl fmt::Debug for Jwks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Jwks").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use http::header::HeaderValue;
    use http::{Request, Response};
    use jiff::Timestamp;

    use super::*;
    use crate::id::BaseUrl;
    use crate::runtime::{Runtime, Sleep};

    const JWK: &str = r#"{"kid":"key_1","kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#;
    const LONG: Duration = Duration::from_secs(60);

    /// The clock of a sleeping computer: the time of day goes on, the monotonic clock stands still.
    #[derive(Debug, Default)]
    struct Asleep(Mutex<Timestamp>);

    impl Clock for Asleep {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }

        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, _: Duration) -> Sleep<'_> {
            Box::pin(ready(()))
        }
    }

    /// Keys from an endpoint that doesn't answer the first `stalls` requests; the number of requests; the clock.
    fn jwks(stalls: usize) -> (Arc<Core>, Arc<Jwks>, Arc<AtomicUsize>, Arc<Asleep>) {
        let (asked, clock) = (Arc::new(AtomicUsize::new(0)), Arc::new(Asleep::default()));
        let count = Arc::clone(&asked);
        let transport = move |_: Request<Bytes>| {
            let stall = count.fetch_add(1, Ordering::SeqCst) < stalls;
            async move {
                if stall {
                    std::future::pending::<()>().await;
                }
                Ok(Response::new(Bytes::from(format!(r#"{{"keys":[{JWK}]}}"#))))
            }
        };
        let base_url = BaseUrl::parse("http://127.0.0.1:9").unwrap();
        let runtime = Runtime { clock: Arc::clone(&clock) as _, ..Runtime::default() };
        let core = Core::new(base_url, transport, HeaderValue::from_static("test"), LONG, 3, runtime);
        let core = Arc::new(core);
        let jwks = Jwks::new(&core, KeySource::Client(ClientId::new("client_123").unwrap()));
        (core, Arc::new(jwks), asked, clock)
    }

    #[tokio::test]
    async fn keys_grow_old_while_the_computer_sleeps() {
        let (_core, jwks, asked, clock) = jwks(0);
        assert!(jwks.key("key_1", LONG).await.is_ok() && jwks.at_hand("key_1").is_some());
        *clock.0.lock().unwrap() += KEYS_USED_FOR;
        assert!(jwks.at_hand("key_1").is_none(), "they are older than ten minutes");
        assert!(jwks.key("key_1", LONG).await.is_ok());
        assert_eq!(asked.load(Ordering::SeqCst), 2, "and the pause after the last fetch is over, too");
        // When the time of day is set back, the monotonic clock counts.
        *clock.0.lock().unwrap() -= KEYS_USED_FOR;
        assert!(jwks.at_hand("key_1").is_some());
    }

    #[tokio::test]
    async fn a_fetch_that_stands_still_makes_room_for_another() {
        let (_core, jwks, asked, _) = jwks(1);
        assert!(jwks.key("key_1", Duration::from_millis(10)).await.is_err());
        assert!(jwks.key("key_1", Duration::from_millis(10)).await.is_err(), "it may still come");
        if let Some(fetch) = &mut jwks.state().fetch {
            fetch.began = fetch.began.checked_sub(FETCH_ABANDONED_AFTER).unwrap();
        }
        assert!(jwks.key("key_1", LONG).await.is_ok());
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    /// RFC 7515 Appendix A.2. Its claims aren't a session's, so only the key and the signature are checked.
    #[test]
    fn the_example_of_rfc_7515_verifies() {
        const MESSAGE: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        const SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let jwk: Jwk = serde_json::from_str(
            r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
        )
        .unwrap();
        let key = parse("rfc7515", &jwk, None).unwrap();
        let signature = BASE64URL.decode(SIGNATURE).unwrap();
        assert_eq!(key.verify(MESSAGE.as_bytes(), &signature), Ok(()));
        assert_eq!(key.verify(&MESSAGE.as_bytes()[1..], &signature), Err(TokenError::WrongSignature));
    }
}
