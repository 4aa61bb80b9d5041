//! Signed tokens (RFC 7515): how they are split, which key has signed them, and that it did. What they claim is read elsewhere.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use jiff::Timestamp;
use serde::Deserialize;

use super::jwks::{Jwks, KeyCaches, KeySource, VerifyingKey};
use super::object::Object;
use super::texts::Text;
use crate::base64url::BASE64URL;
use crate::error::{Error, TokenError};
use crate::id::{ClientId, Issuer};
use crate::secret::MAX_TOKEN_BYTES;
use crate::transport::Core;

/// The maximum bytes of a decoded header. An algorithm, a type and the ID of a key have about a hundred.
const MAX_HEADER_BYTES: usize = 1024;
/// The bytes of a signature by the longest RSA key, which has 8192 bits.
const MAX_SIGNATURE_BYTES: usize = 1024;
/// The tolerance for `nbf` and `iat`: a server whose clock is ahead issues tokens that become valid in the future.
const CLOCK_LEEWAY: Duration = Duration::from_secs(60);
/// How long a check waits for keys, unless the application sets another duration.
const DEFAULT_KEYS_TIMEOUT: Duration = Duration::from_secs(10);

/// Checks signatures with the keys of one client ID or one issuer.
#[derive(Clone)]
pub(crate) struct Signatures {
    /// It sends the requests for the keys, which don't keep it.
    _core: Arc<Core>,
    jwks: Arc<Jwks>,
    /// How long a check may wait for the keys.
    pub(crate) keys_timeout: Duration,
}

impl Signatures {
    /// With the keys that all verifiers of this client share.
    pub(super) fn of_client(core: &Arc<Core>, client_id: &ClientId) -> Self {
        Self::new(core, core.shared.get::<KeyCaches>().of(core, client_id))
    }

    /// With the keys of an issuer. Its clones share them.
    pub(crate) fn of_issuer(core: &Arc<Core>, issuer: Issuer) -> Self {
        Self::new(core, Arc::new(Jwks::new(core, KeySource::Issuer(issuer))))
    }

    fn new(core: &Arc<Core>, jwks: Arc<Jwks>) -> Self {
        Self { _core: Arc::clone(core), jwks, keys_timeout: DEFAULT_KEYS_TIMEOUT }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.jwks.now()
    }

    pub(super) fn has_at_hand(&self, key: &VerifyingKey) -> bool {
        self.jwks.has_at_hand(key)
    }

    /// The payload of a token whose signature is right, and the key that has signed it.
    pub(crate) async fn payload(&self, token: &str) -> Result<(Vec<u8>, Arc<VerifyingKey>), Error> {
        let token = SplitToken::split(token).map_err(Error::token)?;
        let key = if let Some(key) = self.jwks.by_header(token.header) {
            key
        } else {
            self.key(&token.key_id().map_err(Error::token)?).await?
        };
        let mut signature = [0; MAX_SIGNATURE_BYTES];
        let length = decode(token.signature, &mut signature).map_err(Error::token)?;
        key.verify(token.signed.as_bytes(), &signature[..length]).map_err(Error::token)?;
        key.keep_header(token.header);
        let payload = BASE64URL.decode(token.payload).map_err(|_| Error::token(TokenError::Malformed))?;
        Ok((payload, key))
    }

    pub(super) async fn key(&self, kid: &str) -> Result<Arc<VerifyingKey>, Error> {
        match self.jwks.at_hand(kid) {
            Some(key) => key.map_err(Error::token),
            None => self.jwks.key(kid, self.keys_timeout).await,
        }
    }
}

/// Refuses a token that says that it becomes valid, or was issued, in the future.
pub(crate) fn check_not_early(now: Timestamp, starts: [Option<Timestamp>; 2]) -> Result<(), TokenError> {
    let soon = now.checked_add(CLOCK_LEEWAY).unwrap_or(now);
    if starts.into_iter().flatten().any(|start| start > soon) { Err(TokenError::NotYetValid) } else { Ok(()) }
}

/// The payload of a token that somebody else may have made.
pub(super) fn unverified_payload(token: &str) -> Option<Vec<u8>> {
    BASE64URL.decode(SplitToken::split(token).ok()?.payload).ok()
}

/// A token split into its parts (RFC 7515 §3.1), which aren't trusted yet.
struct SplitToken<'a> {
    header: &'a str,
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// `jku`, `jwk` and `x5u` aren't read: with them a token could name its own key.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Option<Text<'a>>,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl<'a> SplitToken<'a> {
    fn split(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        Ok(Self { header, signed, payload, signature })
    }

    /// Reads the header, and returns the ID of the key.
    fn key_id(&self) -> Result<String, TokenError> {
        let mut buffer = [0; MAX_HEADER_BYTES];
        let length = decode(self.header, &mut buffer)?;
        let Object(header): Object<Header<'_>> =
            serde_json::from_slice(&buffer[..length]).map_err(|_| TokenError::Malformed)?;
        if header.alg.is_none_or(|Text(algorithm)| algorithm != "RS256") {
            return Err(TokenError::WrongAlgorithm);
        }
        if header.crit {
            return Err(TokenError::CriticalHeader);
        }
        header.kid.ok_or(TokenError::MissingKeyId)
    }
}

/// The decoder refuses padding, other characters and trailing bits, so each token has exactly one encoding.
fn decode(text: &str, buffer: &mut [u8]) -> Result<usize, TokenError> {
    BASE64URL.decode_slice(text, buffer).map_err(|_| TokenError::Malformed)
}
