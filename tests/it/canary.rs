//! No secret in any `Debug`, `Display` or trace: every value that holds one is formatted and searched.
//!
//! What is traced and what is in memory is looked at in a process of its own: `tracing` may keep for good that nobody listens
//! when it asks a thread that doesn't, and what another test allocates would be searched too.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt::Debug;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;
use workos_auth::api::{
    CreateMagicAuth, CreateOrganizationApiKey, CreateUser, PasswordHashType, SendRadarSms, TotpSettings, UpdateUser,
};
use workos_auth::id::{ConnectionId, Issuer};
use workos_auth::login::RequestContext;
use workos_auth::parking::{LoginCookies, LoginHandle, Parking};
use workos_auth::secret::{
    ActionSecret, ApiKey, AuthKitAuthorizationCode, AuthorizationCode, BearerToken, CodeVerifier, CustomerApiKey,
    DeviceCode, EmailChangeCode, EmailVerificationCode, InvitationToken, InvitationUrl, MachineAccessToken,
    MachineSecret, MagicAuthCode, PasswordHash, PasswordResetToken, PasswordResetUrl, PendingAuthenticationToken,
    ProviderAccessToken, ProviderRefreshToken, RadarCode, ServerMessage, SessionHandle, SsoAccessToken, State,
    StoredToken, TotpQrCode, TotpSecret, TotpUri,
};
use workos_auth::session::{
    CookieSessions, FileTokenStore, MemorySessionStore, MemoryTokenStore, NotActive, RefreshError, SessionParts,
    TokenSession, TokenStore,
};
use workos_auth::step::{MfaEnrollment, TotpChallenge};
use workos_auth::testing::{AuthKit, Browser, Endpoint, Fault};
use workos_auth::transport::TransportError;
use workos_auth::webhook::WebhookSecret;
use workos_auth::{
    AccessToken, Callback, Client, Confidential, ConfidentialClient, CookiePassword, EmailAddress, Error, ExposeSecret,
    LoginHandlers, LoopbackListener, NotSignedIn, OpenedSession, OrganizationId, Password, PublicClient, RedirectUri,
    RefreshToken, SessionCookie, SessionManager, Step, TotpCode, UserId, danger,
};

use crate::support::Outcome;
use crate::support::adapter::{Adapter, with_each_adapter};
use crate::support::clients::{clock, public};
use crate::support::login;
use crate::support::process::passed_alone;
use crate::support::raw::{Answer, RawServer, free_address};
use crate::support::session::{keep, split};
use crate::support::signer::Signer;

/// In every secret that this file makes.
const CANARY: &str = "canary";

/// Everything that was formatted or traced, with where it came from.
#[derive(Clone, Default)]
struct Cage(Arc<Mutex<Vec<u8>>>);

impl Cage {
    fn debug(&self, name: &str, value: &impl Debug) {
        self.write(&format!("{name}: {value:?} {value:#?}\n"));
    }

    fn error(&self, error: &impl StdError) {
        self.write(&format!("error: {error} {error:?} {error:#?}\n"));
        let mut source = error.source();
        while let Some(cause) = source {
            self.write(&format!("source: {cause} {cause:?}\n"));
            source = cause.source();
        }
    }

    fn write(&self, text: &str) {
        self.0.lock().unwrap().extend_from_slice(text.as_bytes());
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    fn assert_clean(&self, secrets: &[&str]) {
        let text = self.text();
        for line in text.lines() {
            for secret in secrets {
                assert!(!line.contains(secret), "a secret got out: {line}");
            }
        }
    }
}

impl io::Write for Cage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Cage {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn confidential(adapter: Adapter, base_url: String) -> Result<ConfidentialClient, Error> {
    adapter.build(public(base_url).api_key("sk_canary").timeout(Duration::from_millis(500)).clock(clock()))
}

fn redirect() -> RedirectUri {
    RedirectUri::new("https://example.com/callback").unwrap()
}

fn code() -> AuthorizationCode {
    danger::code_without_state(Callback::from_parts("canary", None)).unwrap()
}

/// The types of the library that hold a secret, by its source: those of `secrets!`, those with a `SecretString`, and those that
/// say they are redacted or expose a secret.
fn secret_types(source: &str) -> BTreeSet<String> {
    let word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let listed = source.split("\nsecrets! {").skip(1).flat_map(|rest| rest.split("\n}").take(1)).flat_map(str::lines);
    let listed = listed.filter_map(|line| line.trim().strip_suffix(';'));
    let held = source.split("struct ").skip(1).filter_map(|rest| {
        let (name, body) = rest.split_at(rest.find(|letter| !word(letter))?);
        body.split([';', '}']).next().is_some_and(|fields| fields.contains("SecretString")).then_some(name)
    });
    let redacted = source.split("([REDACTED])").filter_map(|before| before.rsplit(|letter| !word(letter)).next());
    let exposing =
        source.split("ExposeSecret<str> for ").skip(1).filter_map(|rest| rest.split(|letter| !word(letter)).next());
    let names = listed.chain(held).chain(redacted).chain(exposing);
    names.filter(|name| name.starts_with(char::is_uppercase) && name.chars().all(word)).map(str::to_owned).collect()
}

fn sources(directory: &Path) -> io::Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        text += &if path.is_dir() { sources(&path)? } else { fs::read_to_string(path)? };
    }
    Ok(text)
}

#[test]
fn every_secret_type_is_redacted() -> Outcome {
    let cage = Cage::default();
    let mut caged = BTreeSet::new();
    let mut debug = |name: &str, secret: &dyn Debug| {
        cage.debug(name, &secret);
        caged.insert(name.to_owned());
    };
    macro_rules! cage {
        ($($name:ident),*) => {$(
            let secret = $name::new("a canary in a secret of some length");
            // The test is worth something only if the canary is in there.
            assert!(secret.expose_secret().contains(CANARY));
            debug(stringify!($name), &secret);
            assert_eq!(format!("{secret:?}"), concat!(stringify!($name), "([REDACTED])"));
        )*};
    }
    cage!(
        AccessToken,
        RefreshToken,
        AuthKitAuthorizationCode,
        CodeVerifier,
        State,
        PendingAuthenticationToken,
        InvitationToken,
        Password,
        TotpCode,
        MagicAuthCode,
        EmailVerificationCode,
        RadarCode,
        DeviceCode,
        TotpSecret,
        TotpUri,
        TotpQrCode,
        EmailChangeCode,
        InvitationUrl,
        PasswordHash,
        PasswordResetToken,
        PasswordResetUrl,
        SsoAccessToken,
        MachineAccessToken,
        ProviderAccessToken,
        ProviderRefreshToken,
        SessionHandle,
        LoginHandle,
        StoredToken,
        ServerMessage
    );
    assert!(code().expose_secret().contains(CANARY));
    debug("AuthorizationCode", &code());
    assert_eq!(format!("{:?}", code()), "AuthorizationCode([REDACTED])");
    debug("ApiKey", &ApiKey::new("sk_canary")?);
    debug("CustomerApiKey", &CustomerApiKey::new("sk_canary")?);
    debug("MachineSecret", &MachineSecret::new("a-canary")?);
    let password = CookiePassword::new("canary-of-at-least-thirty-two-characters")?;
    debug("CookiePassword", &password);
    debug("BearerToken", &BearerToken::new("canary.in.a-token")?);
    debug("WebhookSecret", &WebhookSecret::new("canary-of-an-endpoint")?);
    debug("ActionSecret", &ActionSecret::new("canary-of-an-endpoint")?);
    let client = ConfidentialClient::new("client_123", "sk_canary")?;
    let session = client.authorize(redirect()).authkit().invitation_token(InvitationToken::new("canary")).begin()?;
    assert!(session.url().as_str().contains(CANARY));
    debug("AuthorizationUrl", session.url());
    let cookies = LoginCookies::from_header("").begin(&Parking::new(password), session)?;
    debug("SetCookie", &cookies[0]);
    cage.assert_clean(&[CANARY, cookies[0].expose_secret()]);

    let types = secret_types(&sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src"))?);
    assert_eq!(caged, types, "each type that holds a secret is in the list, and no other");
    Ok(())
}

#[test]
fn refused_values_are_not_echoed() {
    let cage = Cage::default();
    let header = |value: &'static str| -> http::HeaderMap {
        [(http::header::AUTHORIZATION, http::HeaderValue::from_static(value))].into_iter().collect()
    };
    let errors = [
        ApiKey::new("canary with spaces").map(drop).unwrap_err(),
        ApiKey::new("canary\n").map(drop).unwrap_err(),
        CustomerApiKey::new("canary with spaces").map(drop).unwrap_err(),
        ActionSecret::new("canary with spaces in it").map(drop).unwrap_err(),
        MachineSecret::new("canary with spaces").map(drop).unwrap_err(),
        CustomerApiKey::from_headers(&header("Bearer canary canary")).map(drop).unwrap_err(),
        CustomerApiKey::from_headers(&header("Canary canary")).map(drop).unwrap_err(),
        ApiKey::new("client_canary").map(drop).unwrap_err(),
        BearerToken::new("canary with spaces").map(drop).unwrap_err(),
        CookiePassword::new("canary").map(drop).unwrap_err(),
        ConfidentialClient::new("client_123", "sk_canary\u{7}").map(drop).unwrap_err(),
        ConfidentialClient::new("sk_canary", "client_123").map(drop).unwrap_err(),
        PublicClient::new("sk_canary").map(drop).unwrap_err(),
        PublicClient::new("canary canary").map(drop).unwrap_err(),
        Client::builder()
            .client_id("client_123")
            .base_url("https://u:canary@example.com")
            .build()
            .map(drop)
            .unwrap_err(),
        Client::builder()
            .client_id("client_123")
            .base_url("https://example.com/?canary")
            .build()
            .map(drop)
            .unwrap_err(),
        RedirectUri::new("https://u:canary@example.com/callback").map(drop).unwrap_err(),
        RedirectUri::new("canary").map(drop).unwrap_err(),
        Callback::from_url("canary").map(drop).unwrap_err(),
        Callback::from_query("code=canary&code=canary").map(drop).unwrap_err(),
        Callback::from_query("code=canary&error=canary").map(drop).unwrap_err(),
        Callback::from_query("state=canary").map(drop).unwrap_err(),
    ];
    for error in &errors {
        cage.error(error);
    }
    cage.assert_clean(&[CANARY]);
    assert!(cage.text().contains("api_key") && cage.text().contains("redirect_uri"));
}

/// A whole login, with every intermediate value formatted and everything traced that any crate has to say.
async fn flows_errors_and_traces_hold_no_secret(adapter: Adapter) -> Outcome {
    if passed_alone(&adapter.test("canary::flows_errors_and_traces_hold_no_secret"))? {
        return Ok(());
    }
    let cage = Cage::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(cage.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let signed_in = r#"{"user":{"id":"user_01","email":"ada@example.com","email_verified":true,
        "created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"},
        "access_token":"canary-a","refresh_token":"canary-r","authkit_authorization_code":"canary-c",
        "oauth_tokens":{"provider":"GoogleOAuth","access_token":"canary","refresh_token":"canary",
        "expires_at":1735141800,"scopes":[]}}"#;
    let server = RawServer::start([Answer::with_headers(200, "x-request-id: req_42\r\n", signed_in)]).await?;
    let client = confidential(adapter, server.base_url())?;
    cage.debug("client", &client);
    cage.debug("builder", &Client::builder().client_id("client_123").api_key("sk_canary"));

    let builder = client.authorize(redirect()).authkit().invitation_token(InvitationToken::new("canary"));
    cage.debug("authorization builder", &builder);
    let session = builder.begin()?;
    let state = login::state(session.url());
    cage.debug("authorization URL", session.url());
    cage.debug("session", &session);
    let forged = Callback::from_url("/callback?code=canary&state=canary")?;
    cage.debug("callback", &forged);
    let rejected = session.exchange(forged).unwrap_err();
    cage.error(&rejected);
    let session = rejected.recover()?;

    let parts = Callback::from_parts("canary-code", Some(State::new(state.clone())));
    let exchange = session
        .exchange(parts)?
        .invitation_token(InvitationToken::new("canary"))
        .context(RequestContext::new().user_agent("Mozilla"));
    cage.debug("exchange", &exchange);
    let response = exchange.send().await?;
    cage.debug("response", &response);
    assert_eq!(response.refresh_token.expose_secret(), "canary-r");

    let grant = client.authenticate_with_refresh_token(response.refresh_token);
    cage.debug("refresh", &grant);
    let response = grant.send().await?;
    cage.debug("refreshed", &response);

    let plain = client.authorize(redirect()).authkit().begin_without_pkce()?;
    cage.debug("plain session", &plain);
    let impersonation = client.accept_impersonation(Callback::from_url("/callback?code=canary")?)?;
    cage.debug("impersonation", &impersonation);
    cage.error(&impersonation.send().await.unwrap_err());
    cage.debug("listener", &LoopbackListener::bind("/callback").await?);

    let bodies: String = server.requests().concat();
    assert!(bodies.contains("canary-code") && bodies.contains("canary-r") && bodies.contains("sk_canary"));
    let verifier = bodies.split(r#""code_verifier":""#).nth(1).and_then(|rest| rest.get(..43)).ok_or("no verifier")?;

    let traced = cage.text();
    assert!(traced.contains("/user_management/authenticate") && traced.contains("req_42"), "nothing was traced");
    cage.assert_clean(&[CANARY, &state, verifier]);
    Ok(())
}

/// Every value that a refused refresh goes through.
async fn refused_refreshes_hold_no_secret(cage: &Cage, opened: OpenedSession<Confidential>) -> Outcome {
    let refused = opened.refresh().await.unwrap_err();
    cage.debug("refresh error", &refused);
    cage.error(&refused);
    let RefreshError::Kept(kept) = refused else { panic!("a 429 ended the session") };
    cage.debug("kept", &kept);
    cage.error(kept.error());
    let refreshed = kept.into_refreshed();
    cage.debug("refreshed", &refreshed);
    let refused = keep(refreshed).refresh().await.unwrap_err();
    cage.debug("refresh error", &refused);
    cage.error(&refused);
    cage.error(&refused.error());
    Ok(())
}

async fn sessions_and_tokens_hold_no_secret(adapter: Adapter) -> Outcome {
    const NOW: u64 = 1_767_225_600;

    if passed_alone(&adapter.test("canary::sessions_and_tokens_hold_no_secret"))? {
        return Ok(());
    }
    let cage = Cage::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(cage.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let signer = Signer::new("key_1");
    let keys = json!({ "keys": [signer.jwk()] }).to_string();
    let answers = [
        Answer::json(200, &keys),
        // A refresh that is throttled makes four attempts.
        Answer::json(429, r#"{"message":"canary"}"#),
        Answer::json(429, r#"{"message":"canary"}"#),
        Answer::json(429, r#"{"message":"canary"}"#),
        Answer::json(429, r#"{"message":"canary"}"#),
        Answer::json(400, r#"{"error":"invalid_grant","error_description":"The token canary is dead."}"#),
        Answer::json(400, r#"{"code":"forbidden","message":"canary"}"#),
    ];
    let server = RawServer::start(answers).await?;
    let client = confidential(adapter, server.base_url())?;
    let token = |exp: u64, changes: serde_json::Value| {
        let mut claims = json!({
            "iss": server.base_url(), "sub": "user_01", "sid": "session_1", "jti": "token_1", "client_id": "client_123",
            "iat": 1, "exp": exp, "note": "canary",
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        signer.sign(&claims)
    };
    let good = || token(NOW + 300, json!({}));
    let session = |access_token: AccessToken| -> Outcome<_> {
        let user = serde_json::from_str(
            r#"{"id":"user_01","email":"ada@example.com","email_verified":true,
                "created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#,
        )?;
        let parts = SessionParts::new(user, access_token, RefreshToken::new("canary-r"));
        cage.debug("parts", &parts);
        Ok(client.session(parts))
    };

    let verifier = client.verifier();
    cage.debug("verifier", &verifier);
    let active = session(good())?.check(&verifier).await?;
    let signing_out = session(good())?.check(&verifier).await?;
    cage.debug("active", &active);
    cage.debug("token", active.token());
    let over = || token(NOW - 300, json!({}));
    let expired = verifier.verify(&over()).await.unwrap_err();
    cage.error(&expired);
    cage.error(&Error::from(expired));
    let expired = session(over())?.check(&verifier).await.unwrap_err();
    cage.error(&expired);
    let NotActive::Expired(expired) = expired else { panic!("it has expired") };
    cage.debug("expired", &expired);
    let remembering = verifier.clone().remember(8);
    remembering.verify(&good()).await?;
    cage.debug("remembering", &remembering);
    let refused = [
        AccessToken::new("canary"),
        AccessToken::new("canary.canary.canary"),
        token(NOW + 300, json!({"iss": "https://canary.example"})),
        token(NOW + 300, json!({"client_id": "client_canary"})),
        token(NOW + 300, json!({"sub": "a canary"})),
        token(NOW + 300, json!({"sub": 7, "canary": true})),
        token(NOW + 300, json!({"nbf": NOW + 900})),
    ];
    for token in refused {
        cage.error(&verifier.verify(&token).await.unwrap_err());
    }
    cage.error(&session(token(NOW + 300, json!({"sub": "user_02"})))?.check(&verifier).await.unwrap_err());
    let with_note = verifier.clone().custom_claims::<std::collections::HashMap<String, bool>>();
    cage.error(&with_note.verify(&good()).await.unwrap_err());

    let cookie = SessionCookie::new(CookiePassword::new("canary-of-at-least-thirty-two-characters")?)?;
    cage.debug("cookie", &cookie);
    let sealed = cookie.seal(&session(good())?)?;
    let opened = cookie.open(&client, &sealed)?;
    cage.debug("session", &opened);
    let other = SessionCookie::new(CookiePassword::new("canary-another-with-thirty-two-characters")?)?;
    let forged = "Fe26.2*1*canary*canary*canary**canary*canary~2";
    for (cookie, sealed) in [(&other, &*sealed), (&cookie, "canary"), (&cookie, forged), (&cookie, "Fe26.3*canary~2")] {
        cage.error(&cookie.open(&client, sealed).unwrap_err());
    }
    cage.error(&cookie.set(&session(AccessToken::new("canary".repeat(1000)))?).unwrap_err());

    refused_refreshes_hold_no_secret(&cage, opened).await?;
    let request = active.revoke();
    let sign_out = signing_out.sign_out(None);
    cage.debug("sign-out", &sign_out);
    cage.write(sign_out.url.as_str());
    cage.debug("revoke", &request);
    cage.error(&request.send().await.unwrap_err());
    let over = session(good())?.check(&verifier).await.unwrap_err();
    cage.debug("ended", &over);
    cage.error(&over);

    let bodies: String = server.requests().concat();
    assert!(bodies.contains("canary-r") && bodies.contains("sk_canary"));
    assert!(cage.text().contains("/user_management/sessions/revoke"), "nothing was traced");
    let token = good();
    let signature = token.expose_secret().rsplit('.').next().unwrap_or_default();
    cage.assert_clean(&[CANARY, "Fe26", signature]);
    Ok(())
}

/// Managers, stores, handlers and their answers, over a whole login, an outage and an end.
#[tokio::test]
async fn the_session_layer_holds_no_secret() -> Outcome {
    if passed_alone("canary::the_session_layer_holds_no_secret")? {
        return Ok(());
    }
    let cage = Cage::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(cage.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let authkit = AuthKit::builder().api_key("sk_canary").start().await?;
    let client = authkit.confidential_client();
    let mut secrets = vec![CANARY.to_owned()];

    let parking = Parking::new(CookiePassword::new("canary-of-at-least-thirty-two-characters")?);
    let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
    cage.debug("manager", &sessions);
    let origin = "http://127.0.0.1:8080";
    let handlers =
        LoginHandlers::new(client.clone(), sessions, parking, RedirectUri::new(format!("{origin}/callback"))?);
    cage.debug("handlers", &handlers);
    let request = |target: &str, cookie: &str| {
        let request = http::Request::builder().method(if target == "/logout" { "POST" } else { "GET" }).uri(target);
        request.header("cookie", cookie).body(()).map(|request| request.into_parts().0)
    };
    let cookie_of = |response: &http::Response<String>| -> String {
        let cookies = response.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        cookies.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ")
    };
    let begun = handlers.begin_login(&request("/login", "")?)?;
    cage.debug("begun", &begun);
    let url = begun.headers()["location"].to_str()?.to_owned();
    secrets.push(login::query(&url, "state"));
    let login_cookie = cookie_of(&begun);
    secrets.push(login_cookie.split_once('=').ok_or("no cookie")?.1.to_owned());
    let callback = Browser::new()?.sign_in(&url, "ada@example.com").await?;
    let code = callback.split_once("code=").and_then(|(_, rest)| rest.split('&').next()).ok_or("no code")?;
    secrets.push(code.to_owned());
    let forged = request("/callback?code=canary&state=canary", &login_cookie)?;
    cage.error(&handlers.finish_login(&forged).await.unwrap_err());
    let finished = handlers.finish_login(&request(callback.trim_start_matches(origin), &login_cookie)?).await?;
    cage.debug("finished", &finished);
    let cookie = cookie_of(&finished.response);
    let handle = cookie.split(['=', ';']).nth(1).ok_or("no handle")?.to_owned();
    secrets.push(handle.clone());

    let found = handlers.authenticate(&request("/", &cookie)?).await;
    cage.debug("found", &found);
    let (state, _) = split(found);
    cage.debug("state", &state);
    let session = state.active()?;
    secrets.push(session.access_token().expose_secret().to_owned());
    cage.debug("session", &session);
    authkit.inject_for(Endpoint::Authenticate, Fault::Status(500, None), Duration::from_secs(3600));
    let two = OrganizationId::new("org_two")?;
    let refused = handlers.sessions().switch_organization(&SessionHandle::new(&handle), two.clone()).await.unwrap_err();
    cage.debug("switch", &refused);
    cage.error(&refused);
    authkit.heal();
    authkit.end_session(session.token().session_id().as_str());
    let refused = handlers.sessions().switch_organization(&SessionHandle::new(&handle), two).await.unwrap_err();
    cage.debug("switch", &refused);
    cage.error(&refused);
    let logged_out = handlers.logout(&request("/logout", &cookie)?).await?;
    cage.debug("logged_out", &logged_out);
    let found = handlers.authenticate(&request("/", &cookie)?).await;
    cage.debug("found", &found);
    let (state, _) = split(found);
    cage.debug("state", &state);

    let store = FileTokenStore::open(std::env::temp_dir().join("workos-auth-cage/token"))?;
    cage.debug("store", &store);
    let public = authkit.public_client();
    let session = TokenSession::new(public, MemoryTokenStore::new());
    cage.debug("token session", &session);
    cage.debug("token state", &session.authenticate().await);
    let text = StoredToken::new(r#"{"refresh_token":"canary"}"#);
    let memory = MemoryTokenStore::new();
    memory.write(&text).await?;
    cage.debug("memory", &memory);

    assert!(secrets.iter().all(|secret| secret.len() >= CANARY.len()));
    assert!(cage.text().contains("/user_management/authenticate"), "nothing was traced");
    cage.assert_clean(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
    Ok(())
}

/// The API key of a customer, and a machine. Gives the number of tokens that were read.
async fn callers_hold_no_secret(cage: &Cage, client: &ConfidentialClient, base_url: String) -> Outcome<usize> {
    let validator = client.api_keys().validator();
    cage.error(&validator.validate(&CustomerApiKey::new("canary-key")?).await.unwrap_err());
    cage.debug("validator", &validator);
    let machine = Client::builder().timeout(Duration::from_millis(500)).clock(clock());
    let secret = MachineSecret::new("canary-secret")?;
    let machine = machine.machine(Issuer::new(base_url)?, "client_machine".parse()?, secret)?;
    cage.debug("machine", &machine);
    match machine.token().await {
        Ok(token) => {
            cage.debug("token", &(&token, token.authorization_header()));
            Ok(1)
        }
        Err(error) => {
            cage.error(&error);
            Ok(0)
        }
    }
}

/// Every call of the API that carries a secret, on servers that refuse it, break off and answer with secrets.
async fn the_api_and_sso_hold_no_secret(adapter: Adapter) -> Outcome {
    if passed_alone(&adapter.test("canary::the_api_and_sso_hold_no_secret"))? {
        return Ok(());
    }
    let cage = Cage::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(cage.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let times = r#""created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:00:00Z""#;
    // One answer that is of the shape of every one of them.
    let everything = format!(
        r#"{{"id":"a_1","user_id":"user_1","email":"ada@example.com","type":"email","state":"pending","code":"canary",{times},
        "password_reset_token":"canary","password_reset_url":"canary","token":"canary","accept_invitation_url":"canary",
        "authentication_factor_id":"f_1","totp":{{"issuer":"i","user":"u","secret":"canary","qr_code":"canary","uri":"canary"}},
        "authentication_factor":{{"id":"f_1","type":"totp",{times},
            "totp":{{"issuer":"i","user":"u","secret":"canary","qr_code":"canary","uri":"canary"}}}},
        "authentication_challenge":{{"id":"c_1","authentication_factor_id":"f_1","code":"canary",{times}}},
        "access_token":"canary","token_type":"Bearer","expires_in":600,"oauth_tokens":{{"provider":"GoogleOAuth","access_token":"canary",
            "refresh_token":"canary","expires_at":1,"scopes":[]}},
        "owner":{{"type":"organization","id":"org_1"}},"name":"CI","obfuscated_value":"sk_...","permissions":[],"value":"canary",
        "profile":{{"id":"prof_1","connection_id":"conn_1","connection_type":"TestIdp","idp_id":"1","email":"ada@example.com"}}}}"#
    );
    let answers = [
        Answer::json(200, &everything),
        Answer::json(400, r#"{"code":"forbidden","message":"canary"}"#),
        Answer::json(200, r#"{"id":"a canary","user":"canary"}"#),
        Answer::truncated("canary"),
        Answer::Close,
    ];
    let mut bodies = String::new();
    let mut read = 0;
    for answer in answers {
        let server = RawServer::start([answer]).await?;
        let client = confidential(adapter, server.base_url())?;
        macro_rules! cage {
            ($($request:expr;)*) => {$({
                let request = $request;
                cage.debug("request", &request);
                match request.send().await {
                    Ok(answer) => {
                        cage.debug("answer", &answer);
                        read += 1;
                    }
                    Err(error) => cage.error(&error),
                }
            })*};
        }
        let email: EmailAddress = "ada@example.com".parse()?;
        let user: UserId = "user_1".parse()?;
        let create = CreateUser::new(email.clone()).password(Password::new("canary"));
        let hashed = UpdateUser::new().password_hash(PasswordHash::new("canary"), PasswordHashType::Bcrypt);
        let magic_auth = CreateMagicAuth::new(email.clone()).invitation_token(InvitationToken::new("canary"));
        let settings = TotpSettings::new().secret(TotpSecret::new("canary"));
        cage.debug("requests", &(&create, &hashed, &magic_auth, &settings));
        let handle = client.with_access_token(&SsoAccessToken::new("canary-sso"));
        cage.debug("handle", &handle);
        let session = client.authorize_sso(redirect(), ConnectionId::new("conn_1")?).begin()?;
        cage.debug("session", &session);
        let pending = PendingAuthenticationToken::new("canary");
        let sms = SendRadarSms::new(user.clone(), pending, "+15005550006".parse()?);
        cage.debug("request", &sms);
        cage! {
            client.users().create(&create);
            client.users().update(&user, &hashed);
            client.email_verification().get(&"a_1".parse()?);
            client.email_verification().confirm(&user, &EmailVerificationCode::new("canary"));
            client.email_change().confirm(&user, &EmailChangeCode::new("canary"));
            client.password_reset().create(&email);
            client.password_reset().confirm(&PasswordResetToken::new("canary"), &Password::new("canary"));
            client.magic_auth().create(&magic_auth);
            client.mfa().enroll_totp(&user, &settings);
            client.mfa().challenge(&"f_1".parse()?, None);
            client.mfa().verify(&"c_1".parse()?, &TotpCode::new("canary"));
            client.invitations().get_by_token(&InvitationToken::new("canary"));
            client.radar().send_sms(&sms);
            client.radar().get(&"a_1".parse()?);
            client.api_keys().create_for_organization(&"org_1".parse()?, &CreateOrganizationApiKey::new("CI"));
            client.exchange_sso_code(code());
            handle.profile();
        }
        read += callers_hold_no_secret(&cage, &client, server.base_url()).await?;
        bodies += &server.requests().concat();
    }
    assert_eq!(read, 10, "what is read holds secrets");
    for sent in [
        "/invitations/by_token/canary",
        "Bearer canary-sso",
        r#""client_secret":"sk_canary"#,
        r#""password":"canary""#,
        r#"{"value":"canary-key"}"#,
        "client_secret=canary-secret",
    ] {
        assert!(bodies.contains(sent), "{sent}");
    }
    assert!(cage.text().contains("/user_management/invitations/by_token/{token}"), "nothing was traced");
    cage.assert_clean(&[CANARY]);
    Ok(())
}

async fn replies_that_echo_what_was_submitted_stay_out_of_errors_and_traces(adapter: Adapter) -> Outcome {
    if passed_alone(&adapter.test("canary::replies_that_echo_what_was_submitted_stay_out_of_errors_and_traces"))? {
        return Ok(());
    }
    let cage = Cage::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(cage.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let replies = [
        Answer::json(400, r#"{"error":"invalid_grant","error_description":"The code canary is invalid."}"#),
        Answer::json(400, r#"{"error":"a canary in a code","error_description":"canary"}"#),
        Answer::json(400, r#"{"code":"invalid_credentials","message":"canary"}"#),
        Answer::json(400, r#"{"message":"canary"}"#),
        Answer::json(400, r#"{"code":["canary"]}"#),
        Answer::json(403, r#"{"code":"mfa_challenge","message":"canary","pending_authentication_token":"canary"}"#),
        Answer::json(200, r#"{"user":"canary"}"#),
        Answer::json(200, r#"{"user":{"id":"a canary"}}"#),
        Answer::json(200, r#"{"access_token":"canary"#),
        Answer::with_headers(502, "x-request-id: a canary\r\n", "<html>canary</html>"),
        Answer::with_headers(307, "location: http://127.0.0.1:1/?canary\r\n", ""),
        Answer::truncated("canary"),
        Answer::large(false),
        Answer::Close,
        Answer::Stall,
    ];
    let mut failures = 0;
    let grants = async |client: &ConfidentialClient| {
        let email = || "ada@example.com".parse().unwrap();
        let pending = || PendingAuthenticationToken::new("canary");
        let password = client.authenticate_with_password(email(), Password::new("canary"));
        cage.debug("password", &password);
        drop(password.send().await.map_err(|rejected| cage.error(&rejected)));
        let magic_auth = client.authenticate_with_magic_auth(MagicAuthCode::new("canary"), email());
        cage.debug("magic auth", &magic_auth);
        drop(magic_auth.send().await.map_err(|rejected| cage.error(&rejected)));
        let challenge = TotpChallenge::from_parts(client, pending(), "auth_challenge_1".parse().unwrap());
        cage.debug("challenge", &challenge);
        let answer = challenge.verify(TotpCode::new("canary"));
        cage.debug("answer", &answer);
        drop(answer.send().await.map_err(|rejected| cage.error(&rejected)));
        let enrollment = MfaEnrollment::from_parts(client, pending(), "user_1".parse().unwrap());
        cage.debug("enrolment", &enrollment);
        drop(enrollment.enroll_totp("Example", "ada").send().await.map_err(|rejected| cage.error(&rejected)));
        drop(client.device_authorization().send().await.map_err(|error| cage.error(&error)));
    };
    for reply in replies {
        let server = RawServer::start([reply]).await?;
        let client = confidential(adapter, server.base_url())?;
        grants(&client).await;
        match client.authenticate_with_code(code()).send().await {
            Err(NotSignedIn::Step(step @ (Step::Unfinished(_) | Step::MfaChallenge(_)))) => {
                cage.debug("step", &step);
                cage.error(&Error::from(step));
            }
            Err(NotSignedIn::Step(other)) => panic!("{other:?}"),
            Ok(other) => panic!("{other:?}"),
            Err(rejected) => {
                cage.error(&rejected);
                cage.error(&Error::from(rejected));
                failures += 1;
            }
        }
    }
    assert_eq!(failures, 14);
    let client = confidential(adapter, format!("http://{}", free_address().await?))?;
    cage.error(&client.authenticate_with_code(code()).send().await.unwrap_err());
    cage.assert_clean(&[CANARY]);
    Ok(())
}

/// What a framework keeps of a request's header is its own; the handlers add no copy to it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_of_a_requests_cookies_is_left_in_memory() -> Outcome {
    use crate::support::memory::copies;
    use zeroize::Zeroizing;

    if passed_alone("canary::nothing_of_a_requests_cookies_is_left_in_memory")? {
        return Ok(());
    }
    let handle: Vec<u8> = (0..43).map(|n: u8| !(b'a' + (n * 3 + n / 3) % 26)).collect();
    let login: Vec<u8> = (0..43).map(|n: u8| !(b'A' + (n * 5 + n / 4) % 26)).collect();
    let line = |session: &str| -> Result<http::HeaderValue, http::header::InvalidHeaderValue> {
        let mut line = Zeroizing::new(Vec::with_capacity(500));
        line.extend_from_slice(session.as_bytes());
        line.push(b'=');
        line.extend(handle.iter().map(|byte| !byte));
        line.extend_from_slice(b"; theme=dark; __Host-workos-login-0123456789abcdef=");
        line.extend(login.iter().map(|byte| !byte));
        http::HeaderValue::from_bytes(&line)
    };
    let request = |session: &str| -> Outcome<_> {
        Ok(http::Request::post("/").header("cookie", line(session)?).body(())?.into_parts().0)
    };
    let client = ConfidentialClient::new("client_123", "sk_example")?;
    let parking = || CookiePassword::generate().map(Parking::new);
    let in_a_store = SessionManager::new(client.clone(), MemorySessionStore::new());
    let in_cookies = CookieSessions::new(client.clone(), SessionCookie::new(CookiePassword::generate()?)?);
    let in_a_store = LoginHandlers::new(client.clone(), in_a_store, parking()?, redirect());
    let in_cookies = LoginHandlers::new(client, in_cookies, parking()?, redirect());
    let (stored, sealed) = (request("__Host-workos-session")?, request("__Host-wos-session")?);
    assert_eq!((copies(&handle)?, copies(&login)?), (2, 2), "the search finds what is there, and nothing else");
    for _ in 0..5 {
        drop((in_a_store.begin_login(&stored)?, in_cookies.begin_login(&sealed)?));
        drop((in_a_store.authenticate(&stored).await, in_cookies.authenticate(&sealed).await));
        drop((in_a_store.logout(&stored).await?, in_cookies.logout(&sealed).await?));
    }
    assert_eq!((copies(&handle)?, copies(&login)?), (2, 2));
    Ok(())
}

/// The memory of this process, and not only what it shows.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_of_a_state_or_an_invitation_token_is_left_in_memory() -> Outcome {
    use crate::support::memory::{copies, inverted};

    if passed_alone("canary::nothing_of_a_state_or_an_invitation_token_is_left_in_memory")? {
        return Ok(());
    }
    // Made of what it looks like inverted, so that the test itself holds no copy.
    let secret: Vec<u8> = (0..40).map(|n: u8| !(b'a' + (n * 5 + n / 5) % 26)).collect();
    let token = || InvitationToken::new(secret.iter().map(|byte| char::from(!*byte)).collect::<String>());
    let held = token();
    assert_eq!(copies(&secret)?, 1, "the search finds what is there");
    drop(held);

    let client = Client::builder().client_id("client_123").api_key("sk_example").build_with(|_| async {
        let mut reply = http::Response::new(bytes::Bytes::new());
        *reply.status_mut() = http::StatusCode::NOT_FOUND;
        Ok::<_, TransportError>(reply)
    })?;
    let parking = Parking::new(CookiePassword::new("a-random-password-of-32-characters")?);
    let session = client.authorize(redirect()).authkit().invitation_token(token()).begin()?;
    let state = session.url().as_str().split("state=").nth(1).map(|rest| inverted(&rest[..43])).ok_or("no state")?;
    assert!(copies(&state)? > 0 && copies(&secret)? > 0);
    let sealed = parking.park(session)?;
    let resumed = parking.resume_login(&client, &redirect(), &sealed)?;
    assert!(copies(&state)? > 0 && copies(&secret)? > 0);
    drop(resumed);
    assert_eq!((copies(&state)?, copies(&secret)?), (0, 0), "after a login");

    let plain = client.authorize(redirect()).authkit().invitation_token(token()).begin_without_pkce()?;
    drop((plain.url().clone(), plain));
    assert!(client.invitations().get_by_token(&token()).send().await.is_err());
    assert_eq!(copies(&secret)?, 0, "after a look-up");
    Ok(())
}

/// A caller's key is in the header of its request, which is the framework's. A machine holds its secret once.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_of_a_customers_key_or_of_a_machines_secret_is_left_in_memory() -> Outcome {
    use crate::support::clients::reply;
    use crate::support::memory::copies;
    use zeroize::Zeroizing;

    if passed_alone("canary::nothing_of_a_customers_key_or_of_a_machines_secret_is_left_in_memory")? {
        return Ok(());
    }
    let key: Vec<u8> = (0..40).map(|n: u8| !(b'a' + (n * 5 + n / 7) % 26)).collect();
    let secret: Vec<u8> = (0..40).map(|n: u8| !(b'A' + (n * 3 + n / 4) % 26)).collect();
    let transport = |_| async { Ok::<_, TransportError>(reply(200, r#"{"api_key":null}"#)) };
    let client = Client::builder().client_id("client_123").api_key("sk_example").build_with(transport)?;
    let validator = client.api_keys().validator().remember_invalid(Duration::from_secs(5))?;
    let mut value = Zeroizing::new(Vec::with_capacity(100));
    value.extend_from_slice(b"Bearer ");
    value.extend(key.iter().map(|byte| !byte));
    let headers = [(http::header::AUTHORIZATION, http::HeaderValue::from_bytes(&value)?)].into_iter().collect();
    drop(value);
    assert_eq!(copies(&key)?, 1, "the search finds what is there, and nothing else");
    for _ in 0..3 {
        let presented = CustomerApiKey::from_headers(&headers)?;
        assert_eq!(copies(&key)?, 2);
        assert!(client.api_keys().validate(&presented).await.is_err());
        assert!(validator.validate(&presented).await.is_err());
    }
    assert_eq!(copies(&key)?, 1, "after a validation");

    let held = MachineSecret::new(secret.iter().map(|byte| char::from(!*byte)).collect::<String>())?;
    let issuer = Issuer::new("https://example.authkit.app")?;
    let machine = Client::builder().machine_with(issuer, "client_machine".parse()?, held, transport)?;
    assert_eq!(copies(&secret)?, 1);
    for _ in 0..3 {
        assert!(machine.token().await.is_err());
    }
    assert_eq!(copies(&secret)?, 1, "after a request");
    drop(machine);
    assert_eq!(copies(&secret)?, 0);
    Ok(())
}

with_each_adapter![
    flows_errors_and_traces_hold_no_secret,
    sessions_and_tokens_hold_no_secret,
    the_api_and_sso_hold_no_secret,
    replies_that_echo_what_was_submitted_stay_out_of_errors_and_traces,
];
