//! What a check of a session costs, beside the official Rust crate, the SDK for Node and the bare cryptography, in one run.

use std::future::Future;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use criterion::Criterion;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use workos_auth::testing::{AuthKit, TestUser};
use workos_auth::{
    Client, ConfidentialClient, CookiePassword, EmailAddress, ExposeSecret, Password, SessionCookie, TokenVerifier,
    VerifiedToken,
};

/// 64 hex digits, since the official crate takes nothing else.
const PASSWORD: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let setup = runtime.block_on(Setup::new())?;
    println!("access token: {} bytes; cookie: {} bytes", setup.token.len(), setup.sealed.len());
    setup.count_allocations();

    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    setup.measure(&mut criterion, &runtime);
    criterion.final_summary();
    let node = setup.node()?;
    table(&runtime, node)
}

struct Setup {
    authkit: AuthKit,
    client: ConfidentialClient,
    verifier: TokenVerifier,
    remembering: TokenVerifier,
    cookie: SessionCookie,
    token: String,
    sealed: String,
    official: workos::Client,
    official_sealed: String,
    bare: Bare,
}

/// What the cryptography alone needs.
struct Bare {
    key: ParsedPublicKey,
    jwt_key: jsonwebtoken::DecodingKey,
    validation: jsonwebtoken::Validation,
    signature: Vec<u8>,
    encryption_salt: String,
    mac_salt: String,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    signed: String,
    mac: Vec<u8>,
}

/// The claims that `jsonwebtoken` reads.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    org_id: Option<String>,
    role: Option<String>,
    roles: Vec<String>,
    permissions: Vec<String>,
}

impl Setup {
    async fn new() -> Outcome<Self> {
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
        let session = client.session(login.complete()?);
        let cookie = SessionCookie::new(CookiePassword::new(PASSWORD)?)?;
        let sealed = cookie.set(&session)?.value().to_owned();
        let verifier = client.verifier();
        let remembering = client.verifier().remember(1_000);
        for verifier in [&verifier, &remembering] {
            session.check(verifier).await?.active()?;
        }

        let official = workos::Client::builder()
            .api_key(authkit.api_key())
            .client_id(authkit.client_id())
            .base_url(authkit.base_url())
            .build();
        let user = serde_json::to_value(session.user())?;
        let mut user = user.as_object().cloned().unwrap_or_default();
        user.insert("object".into(), "user".into());
        let token = session.access_token().expose_secret().to_owned();
        let official_sealed = workos::helpers::session::seal(
            &json!({
                "access_token": token,
                "refresh_token": session.into_parts().refresh_token.expose_secret(),
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
    async fn check(&self, verifier: &TokenVerifier) -> (workos_auth::Session<workos_auth::Confidential>, VerifiedToken) {
        let session = self.cookie.open(&self.client, black_box(&self.sealed)).unwrap();
        let token = session.check(verifier).await.unwrap().active().unwrap();
        (session, token)
    }

    fn measure(&self, criterion: &mut Criterion, runtime: &tokio::runtime::Runtime) {
        let token = workos_auth::AccessToken::new(&*self.token);
        let mut group = criterion.benchmark_group("a_token");
        group.bench_function("floor", |bencher| bencher.iter(|| self.bare.verify(black_box(&self.token))));
        group.bench_function("workos-auth", |bencher| {
            bencher.to_async(runtime).iter(|| async { self.verifier.verify(black_box(&token)).await.unwrap().active().unwrap() });
        });
        group.bench_function("jsonwebtoken", |bencher| bencher.iter(|| self.bare.jsonwebtoken(black_box(&self.token))));
        group.finish();

        let mut group = criterion.benchmark_group("b_session");
        group.bench_function("floor", |bencher| {
            bencher.iter(|| (self.bare.open(), self.bare.verify(black_box(&self.token))));
        });
        group.bench_function("workos-auth", |bencher| bencher.to_async(runtime).iter(|| self.check(&self.verifier)));
        group.bench_function("workos", |bencher| {
            bencher.to_async(runtime).iter(|| async {
                self.official.session(black_box(&*self.official_sealed), PASSWORD).authenticate().await
            });
        });
        group.finish();

        let mut group = criterion.benchmark_group("c_remembered");
        group.bench_function("floor", |bencher| bencher.iter(|| Sha256::digest(black_box(&self.token))));
        group.bench_function("workos-auth", |bencher| bencher.to_async(runtime).iter(|| self.check(&self.remembering)));
        group.finish();
    }

    fn count_allocations(&self) {
        let token = workos_auth::AccessToken::new(&*self.token);
        let count = |name: &str, run: &dyn Fn()| {
            run();
            let info = allocation_counter::measure(run);
            println!("allocations, {name}: {} ({} bytes)", info.count_total, info.bytes_total);
        };
        count("(a) workos-auth", &|| drop(ready(self.verifier.verify(&token))));
        count("(b) workos-auth", &|| drop(ready(self.check(&self.verifier))));
        count("(c) workos-auth", &|| drop(ready(self.check(&self.remembering))));
        count("(b) workos 3.5.0", &|| {
            drop(ready(self.official.session(&*self.official_sealed, PASSWORD).authenticate()));
        });
    }

    /// The SDK for Node on our cookie: medians of batches, in nanoseconds.
    fn node(&self) -> Outcome<f64> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/node.mjs");
        let mut child = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let command = json!({
            "sealed": self.sealed, "password": PASSWORD, "baseUrl": self.authkit.base_url(),
            "clientId": self.authkit.client_id(), "apiKey": self.authkit.api_key(),
        });
        writeln!(child.stdin.take().ok_or("no way in")?, "{command}")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no way out")?).read_line(&mut line)?;
        child.wait()?;
        Ok(line.trim().parse()?)
    }
}

/// The value of a future that waits for nothing.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

impl Bare {
    async fn new(authkit: &AuthKit, token: &str, sealed: &str) -> Outcome<Self> {
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

    fn verify(&self, token: &str) {
        let signed = token.len() - 343;
        self.key.verify_sig(&token.as_bytes()[..signed], &self.signature).unwrap();
    }

    fn open(&self) -> Vec<u8> {
        let key = |salt: &str| pbkdf2::pbkdf2_hmac_array::<Sha1, 32>(PASSWORD.as_bytes(), salt.as_bytes(), 1);
        let mac = Hmac::<Sha256>::new_from_slice(&key(&self.mac_salt)).unwrap().chain_update(&self.signed);
        mac.verify_slice(&self.mac).unwrap();
        let cipher = cbc::Decryptor::<aes::Aes256>::new_from_slices(&key(&self.encryption_salt), &self.iv).unwrap();
        let mut buffer = self.ciphertext.clone();
        cipher.decrypt_padded::<Pkcs7>(&mut buffer).unwrap();
        buffer
    }

    fn jsonwebtoken(&self, token: &str) -> Claims {
        jsonwebtoken::decode(token, &self.jwt_key, &self.validation).unwrap().claims
    }
}

/// The keys as they are published, over a plain socket.
async fn fetch(authkit: &AuthKit) -> Outcome<Value> {
    let address = authkit.base_url().trim_start_matches("http://").to_owned();
    let path = authkit.jwks_path();
    let text = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(&address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        std::io::read_to_string(stream)
    })
    .await??;
    Ok(serde_json::from_str(text.split_once("\r\n\r\n").ok_or("no body")?.1)?)
}

/// Medians of this run, and what they are to each other.
fn table(_: &tokio::runtime::Runtime, node: f64) -> Outcome {
    let root = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), Into::into);
    let median = |id: &str| -> Outcome<f64> {
        let path = root.join("criterion").join(id).join("new/estimates.json");
        let estimates: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        estimates["median"]["point_estimate"].as_f64().ok_or_else(|| "no median".into())
    };
    let (floor_a, ours_a) = (median("a_token/floor")?, median("a_token/workos-auth")?);
    let jsonwebtoken = median("a_token/jsonwebtoken")?;
    let (floor_b, ours_b) = (median("b_session/floor")?, median("b_session/workos-auth")?);
    let official = median("b_session/workos")?;
    let (floor_c, ours_c) = (median("c_remembered/floor")?, median("c_remembered/workos-auth")?);
    println!("\n| what | median | ratio |\n| --- | ---: | --- |");
    let row = |what: &str, time: f64, ratio: String| println!("| {what} | {:.2} µs | {ratio} |", time / 1000.0);
    row("(a) RSA-2048 alone, parsed key", floor_a, "floor".into());
    row("(a) `workos-auth`: verify, typed claims", ours_a, format!("{:.2}× the floor", ours_a / floor_a));
    row("(a) `jsonwebtoken` 11, six claims", jsonwebtoken, format!("{:.2}× the floor", jsonwebtoken / floor_a));
    row("(b) bare cryptography of a cookie and its token", floor_b, "floor".into());
    row("(b) `workos-auth`: cookie, verify, typed claims, user", ours_b, format!("{:.2}× the floor", ours_b / floor_b));
    row("(b) `workos` 3.5.0 on its own cookie", official, format!("{:.2}× `workos-auth`", official / ours_b));
    row("(b) `@workos-inc/node` 11.0.0 on the same cookie", node, format!("{:.1}× `workos-auth`", node / ours_b));
    row("(c) SHA-256 of the token", floor_c, "floor of a look-up".into());
    let faster = format!("`workos` 3.5.0 takes {:.2}×, Node {:.1}×", official / ours_c, node / ours_c);
    row("(c) `workos-auth`, remembering", ours_c, faster);
    Ok(())
}
