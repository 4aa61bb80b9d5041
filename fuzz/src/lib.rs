//! What is fuzzed. Each function takes any bytes, and panics if a property doesn't hold. The tests run them on the corpus, too.

use std::error::Error;
use std::iter;
use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use url::{Host, ParseError, Url, form_urlencoded};
use workos_auth::action::{ActionSecret, Actions};
use workos_auth::api::KeyNotValidated;
use workos_auth::caller::Credential;
use workos_auth::connect::ResourceServer;
use workos_auth::id::{Issuer, ResourceUri};
use workos_auth::parking::Parking;
use workos_auth::secret::{BearerToken, CustomerApiKey};
use workos_auth::session::{MemorySessionStore, SessionParts};
use workos_auth::transport::TransportError;
use workos_auth::webhook::{WebhookSecret, Webhooks};
use workos_auth::{
    AccessToken, Callback, Client, ConfidentialClient, CookiePassword, ExposeSecret, LoopbackListener, RedirectUri,
    RefreshToken, ReturnPath, SessionCookie,
};

/// A name, which is that of the corpus, and what is done with each input.
type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("action", action),
    ("api_key", api_key),
    ("authenticate", authenticate),
    ("bearer", bearer),
    ("callback", callback),
    ("connect_token", connect_token),
    ("cookie_header", cookie_header),
    ("device", device),
    ("issuer_metadata", issuer_metadata),
    ("jwks", jwks),
    ("jwt", jwt),
    ("loopback", loopback),
    ("parked", parked),
    ("redirect_uri", redirect_uri),
    ("retry_after", retry_after),
    ("return_path", return_path),
    ("seal", seal),
    ("webhook", webhook),
];

/// Runs the target with this name.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(other, _)| *other == name).expect("a target");
    target(data);
}

const CLIENT_ID: &str = "client_123";
/// Nothing listens there, and nothing is sent there: the transports are closures.
const NOWHERE: &str = "http://127.0.0.1:9";
const REDIRECT: &str = "https://app.example.com/callback";
const PASSWORD: &str = "a-password-of-forty-characters-for-tests";
/// What an error must never show, wherever it came from.
const CANARY: &str = "<CANARY>";

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A client whose API answers with this.
fn client(answer: impl Fn(&Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static) -> ConfidentialClient {
    let builder = Client::builder().client_id(CLIENT_ID).api_key("sk_test_123").base_url(NOWHERE).retries(0);
    let transport = move |request: Request<Bytes>| {
        let response = answer(&request);
        async move { Ok::<_, TransportError>(response) }
    };
    builder.build_with(transport).unwrap()
}

/// A client whose API must not be asked.
fn offline() -> ConfidentialClient {
    client(|request| panic!("a request: {}", request.uri()))
}

fn redirect() -> RedirectUri {
    RedirectUri::new(REDIRECT).unwrap()
}

/// The first bytes, and the others.
fn split(data: &[u8], at: usize) -> (&[u8], &[u8]) {
    data.split_at(at.min(data.len()))
}

fn assert_hides(data: &[u8], shown: String) {
    assert!(!shown.contains(CANARY), "{shown} of {:?}", String::from_utf8_lossy(data));
}

/// An error's texts, with those of its sources.
fn texts(error: &(dyn Error + 'static)) -> String {
    let sources = iter::successors(Some(error), |error: &&(dyn Error + 'static)| (**error).source())
        .map(|error| format!(" {error}"));
    format!("{error:?}") + &sources.collect::<String>()
}

/// The query of a callback, in which `STATE` is the login's state. Only one code and one state, which is right, get a login on.
fn callback(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let login = offline().authorize(redirect()).authkit().begin().unwrap();
    let url = Url::parse(login.url().as_str()).unwrap();
    let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
    let query = text.replace("STATE", &state);
    let Ok(callback) = Callback::from_query(&query) else { return };
    if login.exchange(callback).is_ok() {
        let query = query.strip_prefix('?').unwrap_or(&query);
        let of = |name| -> Vec<String> {
            form_urlencoded::parse(query.as_bytes())
                .filter(|(other, _)| other == name)
                .map(|(_, it)| it.into())
                .collect()
        };
        assert_eq!(of("state"), [&*state], "{query}");
        assert_eq!(of("code").len(), 1, "{query}");
        assert!(!of("code")[0].is_empty() && of("error").is_empty(), "{query}");
    }
}

/// A return path stays on its origin, as browsers read URLs.
fn return_path(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(path) = ReturnPath::new(text) else { return };
    let origin = Url::parse("https://app.example.com/").unwrap();
    let url = origin.join(path.as_str()).unwrap();
    assert_eq!(url.origin(), origin.origin(), "{text:?}");
    assert!(HeaderValue::from_str(path.as_str()).is_ok(), "{text:?}");
}

/// A redirect URI is an absolute URI without a fragment, and https unless it is on loopback or of the application's own scheme.
fn redirect_uri(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(uri) = RedirectUri::new(text) else { return };
    let url = match Url::parse(uri.as_str()) {
        Ok(url) => url,
        // Whether the letters behind `xn--` are a name is left to the browser.
        Err(ParseError::IdnaError) if text.to_ascii_lowercase().contains("xn--") => return,
        Err(error) => panic!("{text:?}: {error}"),
    };
    assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none(), "{text:?}");
    if url.scheme() == "http" {
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        };
        assert!(is_loopback, "{text:?}");
    }
    assert!(!matches!(url.scheme(), "javascript" | "data" | "file" | "blob"), "{text:?}");
}

/// A value of the session cookie is one that the header has, but for spaces around it, and all values of its name are the same.
fn cookie_header(data: &[u8]) {
    let Ok(header) = HeaderValue::from_bytes(data) else { return };
    let cookie = SessionCookie::new(CookiePassword::new(PASSWORD).unwrap()).unwrap();
    let headers = HeaderMap::from_iter([(COOKIE, header)]);
    let Some(value) = cookie.value(&headers) else { return };
    let pairs = data.split(|byte| *byte == b';').filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
    });
    let values: Vec<_> = pairs.filter(|(name, _)| *name == cookie.cookie_name().as_bytes()).map(|(_, it)| it).collect();
    assert!(!values.is_empty() && values.iter().all(|it| *it == value.as_bytes()), "{data:?}");
}

/// Each three bytes are a place, as two bytes, and what is changed there.
fn changed(good: &str, edits: &[u8]) -> Option<String> {
    let mut bytes = good.as_bytes().to_vec();
    for edit in edits.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % (bytes.len() + 1);
        match bytes.get_mut(place) {
            Some(byte) => *byte ^= edit[2] & 0x7f,
            None => bytes.push(edit[2] & 0x7f),
        }
    }
    String::from_utf8(bytes).ok()
}

/// After the first byte: the value of a cookie, or changes of a good one. Only the good one opens.
fn seal(data: &[u8]) {
    static CLIENT: LazyLock<ConfidentialClient> = LazyLock::new(offline);
    static COOKIE: LazyLock<SessionCookie> =
        LazyLock::new(|| SessionCookie::new(CookiePassword::new(PASSWORD).unwrap()).unwrap());
    static GOOD: LazyLock<String> = LazyLock::new(|| {
        let user = serde_json::from_value(user()).unwrap();
        let parts = SessionParts::new(user, AccessToken::new("access"), RefreshToken::new("refresh"));
        COOKIE.seal(&CLIENT.session(parts)).unwrap()
    });
    let Some(value) = value(data, &GOOD) else { return };
    match COOKIE.open(&CLIENT, &value) {
        Ok(_) => assert_eq!(value, *GOOD),
        Err(signed_out) => assert_hides(data, format!("{signed_out:?}")),
    }
}

/// The same of a parked login.
fn parked(data: &[u8]) {
    static CLIENT: LazyLock<ConfidentialClient> = LazyLock::new(offline);
    static PARKING: LazyLock<Parking> = LazyLock::new(|| Parking::new(CookiePassword::new(PASSWORD).unwrap()));
    static GOOD: LazyLock<String> = LazyLock::new(|| {
        let login = CLIENT.authorize(redirect()).authkit().begin().unwrap();
        PARKING.park(login).map_err(|rejected| rejected.error().clone()).unwrap()
    });
    let Some(value) = value(data, &GOOD) else { return };
    match PARKING.resume_login(&CLIENT, &redirect(), &value) {
        Ok(_) => assert_eq!(value, *GOOD),
        Err(error) => assert_hides(data, texts(&error)),
    }
}

fn value(data: &[u8], good: &str) -> Option<String> {
    let (kind, rest) = split(data, 1);
    if kind == [0] { changed(good, rest) } else { String::from_utf8(rest.to_vec()).ok() }
}

fn user() -> Value {
    json!({"object": "user", "id": "user_1", "email": "ada@example.com", "email_verified": true,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
}

/// A key of WorkOS.
struct Signer {
    pair: KeyPair,
    jwks: String,
    decoding: DecodingKey,
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let n = part(pair.public_key().modulus().big_endian_without_leading_zero());
    let e = part(pair.public_key().exponent().big_endian_without_leading_zero());
    let jwks =
        json!({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "key_1", "n": n, "e": e}]}).to_string();
    Signer { pair, jwks, decoding: DecodingKey::from_rsa_components(&n, &e).unwrap() }
});

impl Signer {
    fn sign(&self, header: &[u8], payload: &[u8]) -> String {
        let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", part(header), part(payload));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", part(&signature))
    }
}

const HEADER: &[u8] = br#"{"alg":"RS256","kid":"key_1"}"#;

/// Header and payload with a zero byte between them, signed with a good key; or, after a first byte of 1, a whole token, which somebody
/// else has made. `jsonwebtoken` accepts whatever is accepted here.
fn jwt(data: &[u8]) {
    let (kind, rest) = split(data, 1);
    let is_foreign = kind == [1];
    let token = if is_foreign {
        let Ok(token) = str::from_utf8(rest) else { return };
        token.to_owned()
    } else {
        let mut parts = rest.splitn(2, |byte| *byte == 0);
        let (Some(header), Some(payload)) = (parts.next(), parts.next()) else { return };
        SIGNER.sign(if header.is_empty() { HEADER } else { header }, payload)
    };
    let client = client(|_| Response::new(Bytes::from(SIGNER.jwks.as_str())));
    let verified = runtime().block_on(client.verifier().verify(&AccessToken::new(&*token)));
    match verified {
        Ok(verified) => {
            assert!(!is_foreign, "{token}");
            let mut validation = Validation::new(Algorithm::RS256);
            validation.leeway = 60;
            validation.validate_nbf = true;
            validation.validate_aud = false;
            let peer = jsonwebtoken::decode::<Value>(&token, &SIGNER.decoding, &validation).expect(&token);
            assert_eq!(peer.claims["sub"], verified.user_id().as_str());
            assert_eq!(peer.claims["sid"], verified.session_id().as_str());
        }
        Err(error) => assert_hides(data, texts(&error)),
    }
}

/// A key set, of which a token says that its key is in it. `MODULUS` is that of the true key.
fn jwks(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let modulus = SIGNER.pair.public_key().modulus().big_endian_without_leading_zero().to_vec();
    let modulus = BASE64_URL_SAFE_NO_PAD.encode(modulus);
    let document = text.replace("MODULUS", &modulus);
    let answer = Bytes::from(document.clone());
    let client = client(move |_| Response::new(answer.clone()));
    let claims = json!({"iss": format!("{NOWHERE}/user_management/{CLIENT_ID}"), "sub": "user_1", "sid": "session_1",
        "exp": 4_000_000_000_u64});
    let token = AccessToken::new(SIGNER.sign(HEADER, claims.to_string().as_bytes()));
    match runtime().block_on(client.verifier().verify(&token)) {
        Ok(_) => {
            let document: Value = serde_json::from_str(&document).unwrap();
            let keys = document["keys"].as_array().unwrap();
            assert!(keys.iter().any(|key| key["n"] == *modulus && key["kid"] == "key_1"), "{text}");
        }
        Err(error) => assert_hides(data, texts(&error)),
    }
}

fn status(data: &[u8]) -> StatusCode {
    let number = data.iter().fold(0_u16, |number, byte| number.wrapping_mul(256).wrapping_add(u16::from(*byte)));
    StatusCode::from_u16(200 + number % 400).unwrap()
}

fn answer(status: StatusCode, body: &[u8]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(body));
    *response.status_mut() = status;
    response
}

/// A text that nobody reads may have any bytes.
fn parsed(body: &[u8]) -> Value {
    serde_json::from_str(&String::from_utf8_lossy(body)).unwrap()
}

/// The status, in two bytes, and the body of an answer to a login. A login is finished only with a user and both tokens.
fn authenticate(data: &[u8]) {
    let (number, body) = split(data, 2);
    let (status, body) = (status(number), body.to_vec());
    let reply = body.clone();
    let client = client(move |_| answer(status, &reply));
    let grant = client.authenticate_with_refresh_token(RefreshToken::new("refresh"));
    match runtime().block_on(grant.send()) {
        Ok(response) => {
            assert!(status.is_success());
            let body = parsed(&body);
            assert_eq!(body["user"]["id"], response.user.id.as_str());
            assert_eq!(body["access_token"], response.access_token.expose_secret());
        }
        Err(error) => assert_hides(data, texts(&error)),
    }
}

/// A line: the answer to the beginning of a device login; and, after a zero byte, the one to a poll, with its status before it.
fn device(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let begun = parts.next().unwrap_or_default().to_vec();
    let (number, polled) = split(parts.next().unwrap_or_default(), 2);
    let (status, polled) = (status(number), polled.to_vec());
    let client = client(move |request| {
        let is_poll = request.uri().path().ends_with("/authenticate");
        if is_poll { answer(status, &polled) } else { answer(StatusCode::OK, &begun) }
    });
    runtime().block_on(async {
        let login = match client.device_authorization().send().await {
            Ok(login) => login,
            Err(error) => return assert_hides(data, texts(&error)),
        };
        let uris = [Some(login.verification_uri()), login.verification_uri_complete()];
        for uri in uris.into_iter().flatten() {
            let url = Url::parse(uri.as_str()).unwrap();
            assert!(url.scheme() == "https" || url.host_str() == Some("127.0.0.1"), "{url}");
        }
        if let Err(error) = login.poll().await {
            assert_hides(data, format!("{error:?}"));
        }
    });
}

/// The value of `Retry-After`: what is read of it is a duration that can be waited for.
fn retry_after(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let client = client(move |_| {
        let mut response = answer(StatusCode::TOO_MANY_REQUESTS, b"{}");
        response.headers_mut().insert(RETRY_AFTER, value.clone());
        response
    });
    let error = runtime().block_on(client.sessions().list(&"user_1".parse().unwrap()).send()).unwrap_err();
    let _ = error.retry_after().map(|pause| std::time::Instant::now().checked_add(pause));
    assert_hides(data, texts(&error));
}

/// The header of a signature, and after a zero byte the body that it is said to sign. Nobody here knows the secret.
fn webhook(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let Ok(value) = HeaderValue::from_bytes(parts.next().unwrap_or_default()) else { return };
    let body = parts.next().unwrap_or_default();
    let headers = HeaderMap::from_iter([("workos-signature".parse().unwrap(), value)]);
    let secret = WebhookSecret::new("a-secret-of-the-endpoint").unwrap();
    let webhooks = Webhooks::new(&offline(), MemorySessionStore::new(), "https://app.example.com/webhooks", secret);
    let handler = async |_| -> Result<(), std::io::Error> { panic!("nobody has signed it") };
    let refused = runtime().block_on(webhooks.handle(&headers, body, handler)).unwrap_err();
    assert_hides(data, texts(&refused));
}

/// What a program of the same machine sends to the listener, in which `STATE` isn't known to it. The login waits on, and ends with the
/// true callback.
fn loopback(data: &[u8]) {
    runtime().block_on(async {
        let listener = LoopbackListener::bind("/callback").await.unwrap().timeout(Duration::from_secs(10));
        let uri = Url::parse(listener.redirect_uri().as_str()).unwrap();
        let address = (uri.host_str().unwrap().to_owned(), uri.port().unwrap());
        let login = offline().authorize(listener.redirect_uri().clone()).authkit().begin().unwrap();
        let state = Url::parse(login.url().as_str()).unwrap();
        let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let waiting = tokio::spawn(listener.wait(login));
        let mut stranger = TcpStream::connect(address.clone()).await.unwrap();
        drop(stranger.write_all(data).await);
        drop(stranger.shutdown().await);
        let request = format!(
            "GET /callback?code=good&state={state} HTTP/1.1\r\nhost: {}:{}\r\nconnection: close\r\n\r\n",
            address.0, address.1
        );
        let mut browser = TcpStream::connect(address).await.unwrap();
        browser.write_all(request.as_bytes()).await.unwrap();
        let mut page = Vec::new();
        browser.read_to_end(&mut page).await.unwrap();
        assert!(page.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&page));
        assert!(waiting.await.unwrap().is_ok());
    });
}

/// The same of an Action's request.
fn action(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let Ok(value) = HeaderValue::from_bytes(parts.next().unwrap_or_default()) else { return };
    let body = parts.next().unwrap_or_default();
    let headers = HeaderMap::from_iter([("workos-signature".parse().unwrap(), value)]);
    let actions = Actions::new(&offline(), ActionSecret::new("a-secret-of-the-endpoint").unwrap());
    let refused = actions.verify(&headers, body).expect_err("nobody has signed it");
    assert_hides(data, texts(&refused));
}

/// The `Authorization` header of a request, or several, with a zero byte between them. What is taken for a credential is what one bearer
/// presents.
fn bearer(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for value in data.split(|byte| *byte == 0) {
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        headers.append(AUTHORIZATION, value);
    }
    let presented = match Credential::of(&headers) {
        Ok(Credential::Token(token)) => token.expose_secret().to_owned(),
        Ok(Credential::Key(key)) => key.expose_secret().to_owned(),
        Ok(Credential::Session) => return,
        Err(error) => return assert_hides(data, texts(&error)),
    };
    let (scheme, rest) = data.split_at("Bearer ".len());
    assert!(scheme.eq_ignore_ascii_case(b"bearer "), "{data:?}");
    assert_eq!(rest.trim_ascii(), presented.as_bytes(), "{data:?}");
}

const RESOURCE: &str = "https://api.example.com";

/// A resource server for the tokens of an issuer that answers with these documents.
fn resource_server(metadata: String, jwks: String) -> ResourceServer {
    let transport = move |request: Request<Bytes>| {
        let is_metadata = request.uri().path() == "/.well-known/oauth-authorization-server";
        assert!(request.uri().to_string().starts_with(&format!("{NOWHERE}/")), "a request to {}", request.uri());
        let body = if is_metadata { metadata.clone() } else { jwks.clone() };
        async move { Ok::<_, TransportError>(Response::new(Bytes::from(body))) }
    };
    let (issuer, resource) = (Issuer::new(NOWHERE).unwrap(), ResourceUri::new(RESOURCE).unwrap());
    Client::builder().retries(0).resource_server_with(issuer, resource, transport).unwrap()
}

/// The payload of a token that the issuer has signed. `jsonwebtoken` accepts whatever is accepted here, for this resource.
fn connect_token(data: &[u8]) {
    let metadata = json!({"issuer": NOWHERE, "jwks_uri": format!("{NOWHERE}/oauth2/jwks")}).to_string();
    let server = resource_server(metadata, SIGNER.jwks.clone());
    let token = SIGNER.sign(HEADER, data);
    let Ok(presented) = BearerToken::new(&*token) else { return };
    match runtime().block_on(server.verify(&presented)) {
        Ok(accepted) => {
            let mut validation = Validation::new(Algorithm::RS256);
            validation.validate_nbf = true;
            validation.set_audience(&[RESOURCE]);
            validation.set_issuer(&[NOWHERE]);
            let peer = jsonwebtoken::decode::<Value>(&token, &SIGNER.decoding, &validation).expect(&token);
            assert_eq!(peer.claims["jti"], accepted.token_id());
            assert!(peer.claims["sub"].is_string());
        }
        Err(error) => assert_hides(data, texts(&error)),
    }
}

/// The metadata of an issuer. Whatever it says, keys come from the issuer's own origin.
fn issuer_metadata(data: &[u8]) {
    let Ok(metadata) = str::from_utf8(data) else { return };
    let server = resource_server(metadata.to_owned(), SIGNER.jwks.clone());
    let claims = json!({"iss": NOWHERE, "sub": "user_1", "aud": RESOURCE, "jti": "1", "exp": 4_000_000_000_u64});
    let token = BearerToken::new(SIGNER.sign(HEADER, claims.to_string().as_bytes())).unwrap();
    match runtime().block_on(server.verify(&token)) {
        Ok(_) => {
            let metadata: Value = serde_json::from_str(metadata).unwrap();
            assert_eq!(metadata["issuer"], NOWHERE);
            let keys = Url::parse(metadata["jwks_uri"].as_str().unwrap()).unwrap();
            assert_eq!(keys.origin(), Url::parse(NOWHERE).unwrap().origin());
        }
        Err(error) => assert_hides(data, texts(&error)),
    }
}

/// The status, in two bytes, and the body of an answer about a customer's API key. It is invalid only if the answer says `null`.
fn api_key(data: &[u8]) {
    let (number, body) = split(data, 2);
    let (status, body) = (status(number), body.to_vec());
    let reply = body.clone();
    let client = client(move |_| answer(status, &reply));
    let key = CustomerApiKey::new("sk_customer").unwrap();
    let validated = runtime().block_on(async { client.api_keys().validate(&key).await });
    let said = || parsed(&body)["api_key"].clone();
    match validated {
        Ok(valid) => assert!(status.is_success() && said()["id"] == valid.id().as_str()),
        Err(KeyNotValidated::Invalid) => assert!(status.is_success() && said().is_null()),
        Err(error) => assert_hides(data, texts(&error)),
    }
}
