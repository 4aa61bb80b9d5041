//! A user's session, as its cookie and its token, and the cryptography that all of it needs.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;
use workos_auth::testing::{AuthKit, TestUser};
use workos_auth::{
    ActiveSession, Client, Confidential, ConfidentialClient, CookiePassword, EmailAddress, ExposeSecret, Password,
    SessionCookie, TokenVerifier,
};

use crate::Outcome;

/// 64 hex digits, since the official crate takes nothing else.
pub const PASSWORD: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub struct Setup {
    pub authkit: AuthKit,
    pub client: ConfidentialClient,
    pub verifier: TokenVerifier,
    pub remembering: TokenVerifier,
    pub cookie: SessionCookie,
    pub token: String,
    pub sealed: String,
    pub official: workos::Client,
    pub official_sealed: String,
    pub bare: Bare,
}

/// What only the cryptography needs.
pub struct Bare {
    pub key: ParsedPublicKey,
    pub jwt_key: jsonwebtoken::DecodingKey,
    pub validation: jsonwebtoken::Validation,
    pub signature: Vec<u8>,
    pub encryption_salt: String,
    pub mac_salt: String,
    pub iv: Vec<u8>,
    pub ciphertext: Vec<u8>,
    pub signed: String,
    pub mac: Vec<u8>,
}

/// The claims that `jsonwebtoken` reads.
#[derive(Deserialize)]
pub struct Claims {
    pub sub: String,
    pub sid: String,
    pub org_id: Option<String>,
    pub role: Option<String>,
    pub roles: Vec<String>,
    pub permissions: Vec<String>,
}

impl Setup {
    pub async fn new() -> Outcome<Self> {
        let mut user = TestUser::new("ada.lovelace@example.com")
            .name("Ada", "Lovelace")
            .password("correct horse")
            .organization("org_01HXYZ123456789ABCDEFGHIJ")
            .role("admin")
            .metadata("department", "Engineering")
            .metadata("employee", "E-12345");
        for resource in ["posts", "users", "billing", "reports"] {
            for action in ["read", "write"] {
                user = user.permission(format!("{resource}:{action}"));
            }
        }
        let authkit = AuthKit::builder().user(user).access_token_lifetime(Duration::from_secs(86_400)).start().await?;
        let client = Client::builder()
            .client_id(authkit.client_id())
            .api_key(authkit.api_key())
            .base_url(authkit.base_url())
            .build()?;
        let email = EmailAddress::new("ada.lovelace@example.com")?;
        let login = client.authenticate_with_password(email, Password::new("correct horse")).send().await?;
        let session = client.session(login);
        let cookie = SessionCookie::new(CookiePassword::new(PASSWORD)?)?;
        let sealed = cookie.set(&session)?.expose_secret().to_owned();
        let verifier = client.verifier();
        let remembering = client.verifier().remember(1_000);
        for verifier in [&verifier, &remembering] {
            drop(cookie.open(&client, &sealed)?.check(verifier).await?);
        }

        let official = workos::Client::builder()
            .api_key(authkit.api_key())
            .client_id(authkit.client_id())
            .base_url(authkit.base_url())
            .build();
        let parts = session.into_unverified_parts();
        let user = serde_json::to_value(&parts.user)?;
        let mut user = user.as_object().cloned().unwrap_or_default();
        user.insert("object".into(), "user".into());
        let token = parts.access_token.expose_secret().to_owned();
        let official_sealed = workos::helpers::session::seal(
            &json!({
                "access_token": token,
                "refresh_token": parts.refresh_token.expose_secret(),
                "user": user,
            }),
            PASSWORD,
        )?;
        let state = official.session(&*official_sealed, PASSWORD).authenticate().await;
        assert!(state.authenticated, "{}", state.reason);
        let bare = Bare::new(&authkit, &token, &sealed).await?;
        Ok(Self { authkit, client, verifier, remembering, cookie, token, sealed, official, official_sealed, bare })
    }

    /// Opens the cookie and verifies its token: the user and the claims.
    pub async fn check(&self, verifier: &TokenVerifier) -> ActiveSession<Confidential> {
        let session = self.cookie.open(&self.client, black_box(&self.sealed)).unwrap();
        session.check(verifier).await.unwrap()
    }
}

impl Bare {
    pub async fn new(authkit: &AuthKit, token: &str, sealed: &str) -> Outcome<Self> {
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text);
        let document = fetch(authkit).await?;
        let jwk = &document["keys"][0];
        let text = |name: &str| jwk[name].as_str().unwrap_or_default();
        let (n, e) = (decode(text("n"))?, decode(text("e"))?);
        let key = PublicKeyComponents { n: &n, e: &e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)?;
        let jwt_key = jsonwebtoken::DecodingKey::from_rsa_components(text("n"), text("e"))?;
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        validation.set_issuer(&[authkit.base_url()]);
        validation.validate_aud = false;
        let signature = decode(token.rsplit_once('.').ok_or("no signature")?.1)?;
        let body = sealed.split_once('~').ok_or("no version")?.0;
        let parts: Vec<&str> = body.split('*').collect();
        Ok(Self {
            key,
            jwt_key,
            validation,
            signature,
            encryption_salt: parts[2].to_owned(),
            iv: decode(parts[3])?,
            ciphertext: decode(parts[4])?,
            mac_salt: parts[6].to_owned(),
            mac: decode(parts[7])?,
            signed: parts[..6].join("*"),
        })
    }

    pub fn verify(&self, token: &str) {
        let signed = token.len() - 343;
        self.key.verify_sig(&token.as_bytes()[..signed], &self.signature).unwrap();
    }

    pub fn open(&self) -> Vec<u8> {
        let key = |salt: &str| pbkdf2::pbkdf2_hmac_array::<Sha1, 32>(PASSWORD.as_bytes(), salt.as_bytes(), 1);
        let mac = Hmac::<Sha256>::new_from_slice(&key(&self.mac_salt)).unwrap().chain_update(&self.signed);
        mac.verify_slice(&self.mac).unwrap();
        let cipher = cbc::Decryptor::<aes::Aes256>::new_from_slices(&key(&self.encryption_salt), &self.iv).unwrap();
        let mut buffer = self.ciphertext.clone();
        cipher.decrypt_padded::<Pkcs7>(&mut buffer).unwrap();
        buffer
    }

    pub fn jsonwebtoken(&self, token: &str) -> Claims {
        jsonwebtoken::decode(token, &self.jwt_key, &self.validation).unwrap().claims
    }
}

/// The keys as they are published, over a plain socket.
async fn fetch(authkit: &AuthKit) -> Outcome<Value> {
    let address = authkit.base_url().trim_start_matches("http://").to_owned();
    let path = format!("/sso/jwks/{}", authkit.client_id());
    let text = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(&address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        std::io::read_to_string(stream)
    })
    .await??;
    Ok(serde_json::from_str(text.split_once("\r\n\r\n").ok_or("no body")?.1)?)
}
