//! The signing keys of the in-process AuthKit: as published in its JWKS (RFC 7517), and for its tokens (RFC 7519).

use std::io;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use serde_json::{Value, json};

use crate::base64url::BASE64URL;

/// The keys of servers that are gone. It takes longer to generate a key than a whole login does.
static SPARE: Mutex<Vec<SigningKey>> = Mutex::new(Vec::new());

/// An RSA key of 2048 bits. No two servers have the same one at a time.
pub(super) struct SigningKey {
    pair: KeyPair,
    kid: String,
    /// The base URLs of the servers that had it.
    used_at: Vec<String>,
}

impl SigningKey {
    /// One that no server has: of a server that is gone, or a new one. No server with this base URL had it before, so the tokens of such a
    /// server stay invalid.
    pub(super) fn unused(base_url: &str) -> io::Result<Self> {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        let fit = spare.iter().position(|key| key.used_at.iter().all(|used_at| used_at != base_url));
        let found = fit.map(|index| spare.swap_remove(index));
        drop(spare);
        let mut key = found.map_or_else(Self::generate, Ok)?;
        key.used_at.push(base_url.to_owned());
        Ok(key)
    }

    /// Leaves the keys of a server that is gone to others.
    pub(super) fn leave(keys: Vec<Self>) {
        SPARE.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
    }

    fn generate() -> io::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(io::Error::other)?;
        let kid = format!("sso_oidc_key_pair_{}", encode(&digest(&SHA256, pair.public_key().as_ref()).as_ref()[..15]));
        Ok(Self { pair, kid, used_at: Vec::new() })
    }

    /// The public key.
    pub(super) fn jwk(&self) -> Value {
        let key = self.pair.public_key();
        json!({
            "alg": "RS256",
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "n": encode(key.modulus().big_endian_without_leading_zero()),
            "e": encode(key.exponent().big_endian_without_leading_zero()),
        })
    }

    /// Signs claims with RS256 (RFC 7518 §3.3) in compact form (RFC 7515 §7.1).
    pub(super) fn sign(&self, claims: &Value) -> io::Result<String> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.kid});
        let mut token = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(io::Error::other)?;
        token.push('.');
        token.push_str(&encode(&signature));
        Ok(token)
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL.encode(bytes)
}
