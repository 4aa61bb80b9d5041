//! Somebody who signs access tokens.

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use workos_auth::AccessToken;

/// The keys of signers that are gone: to generate one takes long.
static SPARE: Mutex<Vec<Arc<KeyPair>>> = Mutex::new(Vec::new());

/// No two of them have the same key at a time.
pub(crate) struct Signer {
    pub(crate) pair: Arc<KeyPair>,
    pub(crate) kid: &'static str,
}

impl Drop for Signer {
    fn drop(&mut self) {
        SPARE.lock().unwrap().push(Arc::clone(&self.pair));
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub(crate) fn new(kid: &'static str) -> Self {
        let spare = SPARE.lock().unwrap().pop();
        Self { pair: spare.unwrap_or_else(|| Arc::new(KeyPair::generate(KeySize::Rsa2048).unwrap())), kid }
    }

    pub(crate) fn jwk(&self) -> Value {
        let key = self.pair.public_key();
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid,
            "n": encode(key.modulus().big_endian_without_leading_zero()),
            "e": encode(key.exponent().big_endian_without_leading_zero()),
        })
    }

    pub(crate) fn sign_as(&self, encoding: &'static dyn RsaEncoding, header: &Value, claims: &Value) -> AccessToken {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(encoding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        AccessToken::new(format!("{signed}.{}", encode(signature)))
    }

    pub(crate) fn sign(&self, claims: &Value) -> AccessToken {
        self.sign_as(&RSA_PKCS1_SHA256, &json!({"alg": "RS256", "typ": "JWT", "kid": self.kid}), claims)
    }
}

/// Claims with these instead; `null` removes one.
pub(crate) fn changed(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}
