//! The keys that access tokens are signed with (RFC 7517), fetched when they are needed and prepared once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use http::Method;
use serde::Deserialize;

use crate::authenticate::outcome;
use crate::base64url::BASE64URL;
use crate::error::{Error, TokenError};
use crate::id::ClientId;
use crate::transport::{Body, Call, Core, Repeat, Route};

/// From this age on the keys are fetched anew in the background, so that no request waits for it.
const REFRESH_AFTER: Duration = Duration::from_secs(8 * 60);
const MAX_AGE: Duration = Duration::from_secs(10 * 60);
/// While the endpoint is down, the last good keys are good for this long.
const MAX_STALE: Duration = Duration::from_secs(60 * 60);
/// Between two fetches, whatever they are asked for.
const COOL_DOWN: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
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

/// A key that is ready to verify with.
pub(super) struct VerifyingKey {
    pub(super) kid: String,
    n: Vec<u8>,
    e: Vec<u8>,
    parsed: ParsedPublicKey,
    /// The header of the first token that it verified, as it is spelt. The others of the same signer have the same one, which
    /// needs not be read again.
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

/// A key, or why it is none.
type Key = Result<Arc<VerifyingKey>, TokenError>;

struct KeySet {
    keys: HashMap<String, Key>,
    /// On the clock's own scale.
    fetched: Duration,
}

/// The cache of one verifier and its clones.
pub(super) struct Jwks {
    core: Arc<Core>,
    client_id: ClientId,
    state: Mutex<State>,
    /// Held by whoever fetches: there is one fetch at a time.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    attempted: Option<Duration>,
}

impl Jwks {
    pub(super) fn new(core: Arc<Core>, client_id: ClientId) -> Arc<Self> {
        Arc::new(Self { core, client_id, state: Mutex::default(), fetching: tokio::sync::Mutex::default() })
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        self.core.runtime.clock.now()
    }

    /// The key with this ID, if nobody has to wait for it.
    pub(super) fn at_hand(self: &Arc<Self>, kid: &str) -> Option<Key> {
        self.find(|keys| keys.get(kid).cloned())
    }

    /// The key that has verified a token with this very header, if nobody has to wait for it.
    pub(super) fn by_header(self: &Arc<Self>, header: &str) -> Option<Arc<VerifyingKey>> {
        self.find(|keys| keys.values().flatten().find(|key| key.has_header(header)).cloned())
    }

    fn find<T>(self: &Arc<Self>, look: impl FnOnce(&HashMap<String, Key>) -> Option<T>) -> Option<T> {
        let (keys, age) = self.known();
        let key = look(&keys?.keys).filter(|_| age < MAX_AGE);
        if key.is_some() && age >= REFRESH_AFTER && self.may_fetch() {
            let jwks = Arc::clone(self);
            tokio::spawn(async move { jwks.fetch().await });
        }
        key
    }

    /// The key with this ID, which is not at hand.
    pub(super) async fn key(self: &Arc<Self>, kid: &str) -> Result<Arc<VerifyingKey>, Error> {
        let (keys, age) = self.known();
        // While somebody asks whether the keys are still good, the last good ones serve.
        let asked = self.fetching.try_lock().is_err();
        if let Some(key) = keys.filter(|_| asked && age < MAX_STALE).and_then(|keys| keys.keys.get(kid).cloned()) {
            return key.map_err(Error::token);
        }
        // Nobody knows whether an unknown key is a new one or a forged one until the keys were fetched again.
        let fetched = self.fetch().await;
        let (keys, age) = self.known();
        match keys.filter(|_| age < MAX_STALE).and_then(|keys| keys.keys.get(kid).cloned()) {
            Some(key) => key.map_err(Error::token),
            None => match fetched {
                Fetch::Fresh => Err(Error::token(TokenError::UnknownKey)),
                Fetch::CoolingDown => Err(Error::keys_unavailable(None)),
                Fetch::Failed(error) => Err(Error::keys_unavailable(Some(error))),
            },
        }
    }

    fn known(&self) -> (Option<Arc<KeySet>>, Duration) {
        let keys = self.state.lock().unwrap_or_else(PoisonError::into_inner).keys.clone();
        let age =
            keys.as_ref().map_or(Duration::MAX, |keys| self.core.runtime.clock.elapsed().saturating_sub(keys.fetched));
        (keys, age)
    }

    fn may_fetch(&self) -> bool {
        let attempted = self.state.lock().unwrap_or_else(PoisonError::into_inner).attempted;
        attempted.is_none_or(|at| self.core.runtime.clock.elapsed().saturating_sub(at) >= COOL_DOWN)
    }

    async fn fetch(&self) -> Fetch {
        let before = self.state.lock().unwrap_or_else(PoisonError::into_inner).attempted;
        let _guard = self.fetching.lock().await;
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.core.runtime.clock.elapsed();
            if state.attempted.is_some_and(|at| now.saturating_sub(at) < COOL_DOWN) {
                // Somebody fetched while this call waited for its turn: what they got is as good.
                let waited = state.attempted != before
                    && state.keys.as_ref().is_some_and(|keys| keys.fetched >= now.saturating_sub(COOL_DOWN));
                return if waited { Fetch::Fresh } else { Fetch::CoolingDown };
            }
            state.attempted = Some(now);
        }
        match self.download().await {
            Ok(keys) => {
                let fetched = self.core.runtime.clock.elapsed();
                let keys = Arc::new(KeySet { keys, fetched });
                self.state.lock().unwrap_or_else(PoisonError::into_inner).keys = Some(keys);
                Fetch::Fresh
            }
            Err(error) => Fetch::Failed(error),
        }
    }

    async fn download(&self) -> Result<HashMap<String, Key>, Error> {
        let route = Route::of("/sso/jwks/{client_id}", &self.client_id)?;
        let call = Call { method: Method::GET, route, authorization: None, body: Body::None, repeat: Repeat::Read };
        let reply = self.core.send(call).await.map_err(|failure| failure.error)?;
        let document: Document = outcome::read(reply).map_err(|failure| failure.error)?;
        let (known, _) = self.known();
        Ok(prepare(document, known.as_deref().map(|known| &known.keys)))
    }
}

enum Fetch {
    Fresh,
    CoolingDown,
    Failed(Error),
}

/// Prepares each key once; one that was there before stays the same value.
fn prepare(document: Document, known: Option<&HashMap<String, Key>>) -> HashMap<String, Key> {
    let mut keys = HashMap::new();
    for jwk in document.keys {
        let Some(kid) = jwk.kid.clone() else { continue };
        let known = known.and_then(|known| known.get(&kid)?.as_ref().ok());
        let key = if keys.contains_key(&kid) { Err(TokenError::DuplicateKey) } else { parse(&kid, &jwk, known) };
        keys.insert(kid, key);
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
        formatter.debug_struct("Jwks").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515 Appendix A.2. Its claims are no session's, so it is checked below the rules for access tokens.
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
