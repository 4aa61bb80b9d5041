//! As many sessions as are wanted, of a WorkOS that is a closure: its tokens are signed here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use workos_auth::session::SessionParts;
use workos_auth::transport::TransportError;
use workos_auth::{AccessToken, Client, ConfidentialClient, RefreshToken};

use crate::Outcome;
use crate::model::{API_KEY, CLIENT_ID};

/// As `testing` has it: a client with this base URL sends nothing there, since its transport is a closure.
const NOWHERE: &str = "http://127.0.0.1:9";

/// The keys of a WorkOS.
pub struct Issuer {
    pair: KeyPair,
    expires: u64,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    pub fn new() -> Outcome<Arc<Self>> {
        let expires = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 86_400;
        Ok(Arc::new(Self { pair: KeyPair::generate(KeySize::Rsa2048)?, expires }))
    }

    /// About 1 kB, as the tokens of a user with a few permissions have.
    pub fn token(&self, number: usize) -> Outcome<String> {
        let permissions: Vec<String> = (0..12).map(|number| format!("resource-{number}:write")).collect();
        let claims = json!({
            "iss": format!("{NOWHERE}/user_management/{CLIENT_ID}"), "sub": format!("user_{number:026}"),
            "sid": format!("session_{number:026}"), "jti": format!("jti_{number:026}"), "iat": self.expires - 86_400,
            "exp": self.expires, "org_id": "org_01HXYZ123456789ABCDEFGHIJK", "role": "admin", "roles": ["admin"],
            "permissions": permissions,
        });
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": "bench"});
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)?;
        Ok(format!("{signed}.{}", encode(signature)))
    }

    /// Many of them, signed on two threads.
    pub fn tokens(&self, count: usize) -> Outcome<Vec<AccessToken>> {
        let half = |range: std::ops::Range<usize>| -> Outcome<Vec<AccessToken>> {
            range.map(|number| Ok(AccessToken::new(self.token(number)?))).collect()
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| half(count / 2..count));
            let mut tokens = half(0..count / 2)?;
            tokens.extend(other.join().map_err(|_| "a signature failed")??);
            Ok(tokens)
        })
    }

    pub fn parts(&self, number: usize) -> Outcome<SessionParts> {
        let token = AccessToken::new(self.token(number)?);
        Ok(SessionParts::new(
            serde_json::from_value(user(number))?,
            token,
            RefreshToken::new(refresh_token(number as u64)),
        ))
    }

    /// A client whose API answers at once: with the keys, or with the next pair of tokens.
    pub fn client(self: &Arc<Self>) -> Outcome<ConfidentialClient> {
        let key = self.pair.public_key();
        let keys = json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "bench",
            "n": encode(key.modulus().big_endian_without_leading_zero()),
            "e": encode(key.exponent().big_endian_without_leading_zero()),
        }]});
        let keys = Bytes::from(keys.to_string());
        let (user, token) = (user(0), self.token(0)?);
        let next = AtomicU64::new(1 << 40);
        let transport = move |request: Request<Bytes>| {
            let body = if request.method() == Method::GET {
                keys.clone()
            } else {
                let refresh_token = refresh_token(next.fetch_add(1, Ordering::Relaxed));
                let pair = json!({"user": user, "access_token": token, "refresh_token": refresh_token});
                Bytes::from(pair.to_string())
            };
            async move { Ok::<_, TransportError>(Response::new(body)) }
        };
        Ok(Client::builder().client_id(CLIENT_ID).api_key(API_KEY).base_url(NOWHERE).build_with(transport)?)
    }
}

pub fn refresh_token(number: u64) -> String {
    format!("yAjhKk123NLIjdrBdGZPf8pLIDvK{number:014}")
}

pub fn user(number: usize) -> Value {
    json!({
        "id": format!("user_{number:026}"), "email": format!("ada.lovelace.{number}@example.com"),
        "email_verified": true, "name": "Ada Lovelace", "first_name": "Ada", "last_name": "Lovelace",
        "metadata": {"department": "Engineering", "employee": "E-12345"}, "locale": "en-US",
        "last_sign_in_at": "2026-11-27T09:15:42.123Z", "created_at": "2024-05-06T07:08:09.123Z",
        "updated_at": "2026-11-27T09:15:42.123Z",
    })
}
