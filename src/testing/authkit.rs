//! What the in-process AuthKit knows and decides. How it is spoken to is in `server.rs`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use jiff::{SignedDuration, Timestamp};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::task::JoinHandle;
use url::{Url, form_urlencoded};

use super::clock::ManualClock;
use super::directory::{Directory, written};
use super::fault::{Fault, Faults};
use super::keys::SigningKey;
use super::login::Logins;
use super::server;
use crate::base64url::BASE64URL;

/// When users were created, unless over the API: 2026-01-01.
const NEW_YEAR: Timestamp = Timestamp::constant(1_767_225_600, 0);
/// How long a session can be refreshed, as far as it is said; nothing ends it here.
const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 86400);
/// Replaying a refresh token within this time brings the same pair again.
const REPLAY_WINDOW: Duration = Duration::from_secs(30);

/// An AuthKit inside the process, spoken to over real HTTP on loopback.
///
/// It checks what the real one checks: PKCE, secrets, redirect URIs, single use and expiry. Its tokens are RS256 JWTs
/// that verify against its own JWKS. It stops when it is dropped.
///
/// ```
/// use workos_auth::testing::{AuthKit, TestUser};
/// use workos_auth::{Client, ConfidentialClient};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authkit = AuthKit::builder().user(TestUser::new("grace@example.com").name("Grace", "Hopper")).start().await?;
/// let client: ConfidentialClient = Client::builder()
///     .client_id(authkit.client_id())
///     .api_key(authkit.api_key())
///     .base_url(authkit.base_url())
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct AuthKit {
    service: Arc<Service>,
    base_url: String,
    server: JoinHandle<()>,
}

impl AuthKit {
    /// Starts one with a single user, `ada@example.com`.
    ///
    /// # Errors
    /// The operating system's, when there is no free port or no key could be made.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Starts configuring one.
    pub fn builder() -> AuthKitBuilder {
        AuthKitBuilder::default()
    }

    /// Where it is, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The client ID of its one application.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.service.config.client_id
    }

    /// The API key of its one application.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.service.config.api_key
    }

    /// Moves its clock forward: codes and tokens expire, and the replay window of refresh tokens ends.
    pub fn advance(&self, by: Duration) {
        self.service.state().ahead += by;
    }

    /// How many requests reached a path, such as `/user_management/authenticate`.
    #[must_use]
    pub fn requests_to(&self, path: &str) -> usize {
        self.service.state().requests.get(path).copied().unwrap_or(0)
    }

    /// How many refreshes were done; a replay is none.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        self.service.state().refreshes
    }

    /// Lets requests to a path go wrong for this long by its clock.
    pub fn inject_for(&self, path: &str, fault: Fault, time: Duration) {
        let mut state = self.service.state();
        let end = after(state.now(), time);
        state.faults.inject_until(path, fault, end);
    }

    /// Lets the next requests to a path, such as `/user_management/authenticate`, go wrong; `usize::MAX` times is until
    /// [`heal`](Self::heal).
    pub fn inject(&self, path: &str, fault: Fault, times: usize) {
        self.service.state().faults.inject(path, fault, times);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.service.state().faults.clear();
    }

    /// Where the keys are fetched, for [`inject`](Self::inject) and [`requests_to`](Self::requests_to).
    #[must_use]
    pub fn jwks_path(&self) -> String {
        format!("/sso/jwks/{}", self.client_id())
    }

    /// Signs with a new key from now on. The old ones stay published until [`retire_keys`](Self::retire_keys).
    ///
    /// # Errors
    /// The operating system's, when no key could be made.
    pub fn rotate_keys(&self) -> io::Result<()> {
        let key = Arc::new(SigningKey::generate()?);
        self.service.state().keys.insert(0, key);
        Ok(())
    }

    /// Takes all keys but the newest out of what is published.
    pub fn retire_keys(&self) {
        self.service.state().keys.truncate(1);
    }

    /// How far the times in its tokens are ahead of its clock, or behind it.
    pub fn set_skew(&self, ahead: SignedDuration) {
        self.service.state().skew = ahead;
    }

    /// Ends a session, as an administrator does in the dashboard.
    pub fn end_session(&self, session_id: &str) {
        self.service.state().end_session(session_id);
    }

    /// Sends a Magic Auth e-mail, and returns the code that the user reads in it.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn send_magic_auth(&self, email: &str) -> io::Result<String> {
        self.service.send_magic_auth(email)
    }

    /// The code of the last verification e-mail, Radar e-mail or SMS to this user.
    #[must_use]
    pub fn last_code(&self, email: &str) -> Option<String> {
        self.service.last_code(email)
    }

    /// What the user's authenticator app shows now for the last factor that was enrolled (RFC 6238).
    #[must_use]
    pub fn totp_code(&self, email: &str) -> Option<String> {
        self.service.totp_code(email)
    }

    /// A callback URL as the dashboard's impersonation makes it: with a code, and without a state.
    ///
    /// # Errors
    /// When there is no such user, or the redirect URI isn't allowed.
    pub fn impersonate(&self, email: &str, by: &str, reason: Option<&str>, redirect_uri: &str) -> io::Result<String> {
        let refuse = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        if !self.service.config.allows(redirect_uri) {
            return Err(refuse("the redirect URI is not allowed"));
        }
        let user_id = self.service.state().user_by_email(email).map(|user| user.id.clone());
        let login = Login {
            user_id: user_id.ok_or_else(|| refuse("there is no such user"))?,
            sso: false,
            organization_id: None,
            code_challenge: None,
            impersonator: Some((by.to_owned(), reason.map(str::to_owned))),
        };
        let code = self.service.issue_code(login)?;
        with_query(redirect_uri, &[("code", &code)]).ok_or_else(|| refuse("the redirect URI is no URL"))
    }
}

impl Drop for AuthKit {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl fmt::Debug for AuthKit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuthKit").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Configures an [`AuthKit`].
#[must_use = "nothing runs until `start()`"]
pub struct AuthKitBuilder {
    config: Config,
}

impl Default for AuthKitBuilder {
    fn default() -> Self {
        Self {
            config: Config {
                client_id: "client_test_authkit".to_owned(),
                api_key: "sk_test_authkit".to_owned(),
                users: Vec::new(),
                redirect_uris: Vec::new(),
                sso_domains: Vec::new(),
                clock: None,
                access_token_lifetime: Duration::from_secs(300),
                code_lifetime: Duration::from_secs(600),
            },
        }
    }
}

impl AuthKitBuilder {
    /// The client ID of its one application.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.config.client_id = client_id.into();
        self
    }

    /// The API key of its one application.
    pub fn api_key(mut self, api_key: impl Into<String>) -> Self {
        self.config.api_key = api_key.into();
        self
    }

    /// Adds a user. Without any, there is `ada@example.com`, Ada Lovelace.
    pub fn user(mut self, user: TestUser) -> Self {
        self.config.users.push(user);
        self
    }

    /// Allows a redirect URI, compared as a string (RFC 9700 §2.1). Without any, every `http` URI on loopback is allowed.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.config.redirect_uris.push(uri.into());
        self
    }

    /// Makes SSO over a connection the only way to sign in for the addresses of a domain.
    pub fn sso_domain(mut self, domain: impl Into<String>, connection_id: impl Into<String>) -> Self {
        self.config.sso_domains.push((domain.into(), connection_id.into()));
        self
    }

    /// Lives by this clock instead of the system's, which a client can share.
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.config.clock = Some(clock);
        self
    }

    /// How long access tokens live; 5 minutes unless given.
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.access_token_lifetime = lifetime;
        self
    }

    /// How long authorization codes live; 10 minutes unless given.
    pub fn authorization_code_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.code_lifetime = lifetime;
        self
    }

    /// Starts the server on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The operating system's, when there is no free port or no key could be made.
    pub async fn start(mut self) -> io::Result<AuthKit> {
        if self.config.users.is_empty() {
            self.config.users.push(TestUser::new("ada@example.com").name("Ada", "Lovelace"));
        }
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let mut state = State::new(self.config.clock.clone(), SigningKey::generate()?, self.config.users.clone());
        state.enroll_members().map_err(|_| io::Error::other("a user is twice in one organization"))?;
        let service = Arc::new(Service { state: Mutex::new(state), config: self.config, issuer: base_url.clone() });
        let server = tokio::spawn(server::serve(listener, Arc::clone(&service)));
        Ok(AuthKit { service, base_url, server })
    }
}

impl fmt::Debug for AuthKitBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuthKitBuilder").field("users", &self.config.users).finish_non_exhaustive()
    }
}

/// What WorkOS Radar wants of a user before a password or Magic Auth login goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RadarDemand {
    /// A code that is sent by e-mail.
    Email,
    /// A new user's telephone number, and a code that is sent to it.
    SmsSignUp,
    /// A code that is sent to the telephone number on file.
    SmsSignIn,
}

/// Whether a user has a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mfa {
    Off,
    Enrolled,
    /// Enrolled, and challenged by the login itself.
    Challenged,
    MustEnroll,
}

/// A user of an [`AuthKit`].
#[derive(Clone)]
pub struct TestUser {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) password: Option<String>,
    pub(super) email_verified: bool,
    pub(super) mfa: Mfa,
    pub(super) radar: Option<RadarDemand>,
    first_name: Option<String>,
    last_name: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) organizations: Vec<String>,
    pub(super) role: Option<String>,
    permissions: Vec<String>,
    metadata: BTreeMap<String, String>,
    pub(super) created_at: Timestamp,
    updated_at: Timestamp,
}

impl TestUser {
    /// A user with a verified e-mail address and an ID made from it.
    #[must_use]
    pub fn new(email: impl Into<String>) -> Self {
        let email = email.into();
        let digest = Sha256::digest(&email);
        let id = digest.iter().take(13).fold("user_".to_owned(), |id, byte| format!("{id}{byte:02X}"));
        Self {
            id,
            email,
            password: None,
            email_verified: true,
            mfa: Mfa::Off,
            radar: None,
            first_name: None,
            last_name: None,
            external_id: None,
            organizations: Vec::new(),
            role: None,
            permissions: Vec::new(),
            metadata: BTreeMap::new(),
            created_at: NEW_YEAR,
            updated_at: NEW_YEAR,
        }
    }

    /// First and last name.
    #[must_use]
    pub fn name(mut self, first: impl Into<String>, last: impl Into<String>) -> Self {
        (self.first_name, self.last_name) = (Some(first.into()), Some(last.into()));
        self
    }

    /// A password. Without one, the user has none.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The e-mail address is not verified yet: a login asks for the code that is sent to it.
    #[must_use]
    pub fn unverified(mut self) -> Self {
        self.email_verified = false;
        self
    }

    /// The user has enrolled a TOTP factor: a login asks for a code of it.
    #[must_use]
    pub fn totp(mut self) -> Self {
        self.mfa = Mfa::Enrolled;
        self
    }

    /// As [`totp`](Self::totp), and the login sends the challenge by itself, as some servers do.
    #[must_use]
    pub fn totp_challenged(mut self) -> Self {
        self.mfa = Mfa::Challenged;
        self
    }

    /// The user must enrol a second factor at the next login.
    #[must_use]
    pub fn must_enroll_mfa(mut self) -> Self {
        self.mfa = Mfa::MustEnroll;
        self
    }

    /// Radar makes a demand at the next login.
    #[must_use]
    pub fn radar(mut self, demand: RadarDemand) -> Self {
        self.radar = Some(demand);
        self
    }

    /// A membership in an organization; with several, password and Magic Auth logins ask which one.
    #[must_use]
    pub fn organization(mut self, id: impl Into<String>) -> Self {
        self.organizations.push(id.into());
        self
    }

    /// The role that access tokens carry.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// A permission that access tokens carry.
    #[must_use]
    pub fn permission(mut self, permission: impl Into<String>) -> Self {
        self.permissions.push(permission.into());
        self
    }

    /// An entry of the user's metadata.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// An ID that the application has for the user.
    #[must_use]
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    pub(super) fn join(&mut self, organization_id: &str) {
        if !self.organizations.iter().any(|id| id == organization_id) {
            self.organizations.push(organization_id.to_owned());
        }
    }

    /// What the API is told of the user.
    pub(super) fn change(&mut self, body: &Value, now: Timestamp) {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let set = |field: &mut Option<String>, name: &str| {
            if body.get(name).is_some() {
                *field = text(name);
            }
        };
        set(&mut self.first_name, "first_name");
        set(&mut self.last_name, "last_name");
        set(&mut self.external_id, "external_id");
        set(&mut self.password, "password");
        self.email = text("email").unwrap_or(std::mem::take(&mut self.email));
        self.email_verified = body["email_verified"].as_bool().unwrap_or(self.email_verified);
        if let Some(metadata) = body.get("metadata") {
            self.metadata = serde_json::from_value(metadata.clone()).unwrap_or_default();
        }
        self.updated_at = now;
    }

    pub(super) fn json(&self, last_sign_in_at: Option<Timestamp>) -> Value {
        let names = self.first_name.as_ref().zip(self.last_name.as_ref());
        json!({
            "object": "user",
            "id": self.id,
            "email": self.email,
            "email_verified": self.email_verified,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "name": names.map(|(first, last)| format!("{first} {last}")),
            "profile_picture_url": null,
            "last_sign_in_at": last_sign_in_at.map(written),
            "locale": null,
            "external_id": self.external_id,
            "metadata": self.metadata,
            "created_at": written(self.created_at),
            "updated_at": written(self.updated_at),
        })
    }
}

impl TestUser {
    /// The user as an identity provider sees it.
    fn profile(&self) -> Value {
        json!({
            "object": "profile", "id": self.id.replacen("user_", "prof_", 1), "organization_id": self.organizations.first(),
            "connection_id": "conn_test", "connection_type": "TestIdp", "idp_id": self.id, "email": self.email,
            "first_name": self.first_name, "last_name": self.last_name, "name": null, "role": null, "roles": null,
            "groups": [], "custom_attributes": {}, "raw_attributes": {"email": self.email},
        })
    }
}

impl fmt::Debug for TestUser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TestUser").field("email", &self.email).finish_non_exhaustive()
    }
}

pub(super) struct Config {
    client_id: String,
    api_key: String,
    users: Vec<TestUser>,
    redirect_uris: Vec<String>,
    pub(super) sso_domains: Vec<(String, String)>,
    clock: Option<ManualClock>,
    access_token_lifetime: Duration,
    code_lifetime: Duration,
}

impl Config {
    fn allows(&self, redirect_uri: &str) -> bool {
        if self.redirect_uris.is_empty() {
            return is_loopback(redirect_uri);
        }
        self.redirect_uris.iter().any(|allowed| allowed == redirect_uri)
    }
}

pub(super) struct Service {
    pub(super) config: Config,
    issuer: String,
    state: Mutex<State>,
}

pub(super) struct State {
    clock: Option<ManualClock>,
    /// How far its time is ahead of its clock's.
    ahead: Duration,
    skew: SignedDuration,
    /// The newest first.
    keys: Vec<Arc<SigningKey>>,
    faults: Faults,
    refreshes: usize,
    requests: HashMap<String, usize>,
    /// Sign-in pages that wait for their form.
    transactions: HashMap<String, Transaction>,
    codes: HashMap<String, Code>,
    sessions: HashMap<String, Session>,
    refresh_tokens: HashMap<String, RefreshToken>,
    pub(super) users: Vec<TestUser>,
    /// By SSO access token: whose profile it is good for.
    pub(super) sso_tokens: HashMap<String, String>,
    pub(super) logins: Logins,
    pub(super) directory: Directory,
}

/// An authorization request that was found in order.
pub(super) struct Transaction {
    redirect_uri: String,
    state: Option<String>,
    code_challenge: Option<String>,
    organization_id: Option<String>,
    /// The login came through `/sso/authorize`.
    sso: bool,
    pub(super) login_hint: Option<String>,
}

/// What a code stands for.
struct Login {
    user_id: String,
    sso: bool,
    organization_id: Option<String>,
    code_challenge: Option<String>,
    impersonator: Option<(String, Option<String>)>,
}

struct Code {
    login: Login,
    expires: Timestamp,
    /// The session that the code was exchanged for: using the code again ends it (RFC 6749 §4.1.2).
    used_for: Option<String>,
    burnt: bool,
}

pub(super) struct Session {
    pub(super) user_id: String,
    pub(super) confidential: bool,
    pub(super) organization_id: Option<String>,
    pub(super) impersonator: Option<(String, Option<String>)>,
    pub(super) began: Timestamp,
    pub(super) ended: Option<Timestamp>,
}

struct RefreshToken {
    session_id: String,
    /// What the token was exchanged for, when, and for which organization.
    rotated: Option<(Timestamp, Option<String>, Value)>,
}

impl Session {
    pub(super) fn begin(user_id: String, confidential: bool, organization_id: Option<String>, now: Timestamp) -> Self {
        Self { user_id, confidential, organization_id, impersonator: None, began: now, ended: None }
    }

    fn json(&self, id: &str) -> Value {
        let impersonator = self.impersonator.as_ref().map(|(email, reason)| json!({"email": email, "reason": reason}));
        let mut session = json!({
            "object": "session",
            "id": id,
            "user_id": self.user_id,
            "status": if self.ended.is_some() { "revoked" } else { "active" },
            "auth_method": if self.impersonator.is_some() { "impersonation" } else { "password" },
            "ip_address": null,
            "user_agent": null,
            "expires_at": written(after(self.began, SESSION_LIFETIME)),
            "ended_at": self.ended.map(written),
            "created_at": written(self.began),
            "updated_at": written(self.ended.unwrap_or(self.began)),
        });
        if let Some(id) = &self.organization_id {
            session["organization_id"] = json!(id);
        }
        if let Some(impersonator) = impersonator {
            session["impersonator"] = impersonator;
        }
        session
    }
}

/// Why a request is turned away.
pub(super) enum Refusal {
    /// `{error, error_description}` with 400 (RFC 6749 §5.2).
    OAuth(&'static str, &'static str),
    /// `{code, message}` with 400.
    Code(&'static str),
    /// A step of a login: 403 `{code, message, pending_authentication_token, …}`.
    Step(Value),
    /// 404 `{message}`.
    NotFound,
    /// 401 `{message}`.
    Unauthorized,
    /// 500: this machine gave no random bytes or no signature.
    Broken,
}

impl From<io::Error> for Refusal {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// What an authorization request leads to.
pub(super) enum Authorization {
    /// The sign-in page of a transaction.
    Page(String, Transaction),
    Redirect(String),
    /// Sending the browser anywhere would make this an open redirector (RFC 9700 §4.11).
    Refused(&'static str),
}

/// The body of `/user_management/authenticate`.
#[derive(Deserialize)]
pub(super) struct TokenRequest {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    pub(super) code: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
    pub(super) organization_id: Option<String>,
    pub(super) email: Option<String>,
    pub(super) password: Option<String>,
    pub(super) device_code: Option<String>,
    pub(super) pending_authentication_token: Option<String>,
    pub(super) authentication_challenge_id: Option<String>,
    pub(super) radar_challenge_id: Option<String>,
    pub(super) verification_id: Option<String>,
    pub(super) phone_number: Option<String>,
}

impl Service {
    pub(super) fn count(&self, path: &str) {
        *self.state().requests.entry(path.to_owned()).or_default() += 1;
    }

    /// What goes wrong with this request.
    pub(super) fn fault(&self, path: &str) -> Option<Fault> {
        let mut state = self.state();
        let now = state.now();
        state.faults.take(path, now)
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn jwks(&self, client_id: &str) -> Option<Value> {
        let keys = || self.state().keys.iter().map(|key| key.jwk()).collect::<Vec<_>>();
        (client_id == self.config.client_id).then(|| json!({"keys": keys()}))
    }

    /// `GET /user_management/authorize` and `GET /sso/authorize` (RFC 6749 §4.1.1).
    pub(super) fn authorize(&self, query: &str, sso: bool) -> io::Result<Authorization> {
        let mut parameters = HashMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                return Ok(Authorization::Refused("A parameter is given twice."));
            }
        }
        let mut take = |name: &str| parameters.remove(name);
        if take("client_id").as_deref() != Some(&self.config.client_id) {
            return Ok(Authorization::Refused("The client ID is unknown."));
        }
        let Some(redirect_uri) = take("redirect_uri").filter(|uri| self.config.allows(uri)) else {
            return Ok(Authorization::Refused("The redirect URI is not allowed."));
        };
        let names = if sso {
            ["provider", "connection", "organization"]
        } else {
            ["provider", "connection_id", "organization_id"]
        };
        let target = names.map(&mut take);
        let code_challenge = take("code_challenge");
        let state = take("state");
        let in_order = take("response_type").as_deref() == Some("code")
            && target.iter().any(Option::is_some)
            && match (&code_challenge, take("code_challenge_method").as_deref()) {
                (Some(challenge), Some("S256")) => is_challenge(challenge),
                (None, None) => true,
                _ => false,
            };
        if !in_order {
            let location = with_answer(&redirect_uri, ("error", "invalid_request"), state.as_deref());
            return Ok(location.map_or(Authorization::Refused("The redirect URI is no URL."), Authorization::Redirect));
        }
        let [_, _, organization_id] = target;
        let transaction = || Transaction {
            redirect_uri: redirect_uri.clone(),
            state: state.clone(),
            code_challenge: code_challenge.clone(),
            organization_id: organization_id.clone(),
            sso,
            login_hint: None,
        };
        let id = random("txn_")?;
        let page = Transaction { login_hint: take("login_hint"), ..transaction() };
        self.state().transactions.insert(id.clone(), transaction());
        Ok(Authorization::Page(id, page))
    }

    /// The sign-in page's form. A transaction is good for one answer, but a wrong address may be corrected.
    pub(super) fn sign_in(&self, transaction: &str, email: &str, cancel: bool) -> io::Result<Authorization> {
        let gone = Authorization::Refused("This sign-in was finished already.");
        let Some(found) = self.state().transactions.remove(transaction) else { return Ok(gone) };
        let answer = if cancel {
            ("error", "access_denied".to_owned())
        } else {
            let member = |user: &TestUser| match &found.organization_id {
                Some(id) => user.organizations.contains(id),
                None => true,
            };
            let user = self.state().user_by_email(email).filter(|user| member(user)).cloned();
            let Some(user) = user else {
                self.state().transactions.insert(transaction.to_owned(), found);
                return Ok(Authorization::Refused("There is no such user."));
            };
            let login = Login {
                user_id: user.id.clone(),
                sso: found.sso,
                organization_id: found.organization_id.clone().or_else(|| user.organizations.first().cloned()),
                code_challenge: found.code_challenge.clone(),
                impersonator: None,
            };
            ("code", self.issue_code(login)?)
        };
        let location = with_answer(&found.redirect_uri, (answer.0, &answer.1), found.state.as_deref());
        Ok(location.map_or(gone, Authorization::Redirect))
    }

    fn issue_code(&self, login: Login) -> io::Result<String> {
        let code = random("code_")?;
        let mut state = self.state();
        let expires = after(state.now(), self.config.code_lifetime);
        state.codes.insert(code.clone(), Code { login, expires, used_for: None, burnt: false });
        Ok(code)
    }

    /// `POST /user_management/authenticate` (RFC 6749 §3.2).
    pub(super) fn authenticate(&self, bearer: Option<&str>, request: &TokenRequest) -> Result<Value, Refusal> {
        if bearer.is_some() {
            self.authorize_key(bearer)?;
        }
        if request.client_id.as_deref() != Some(&self.config.client_id) {
            return Err(Refusal::OAuth("invalid_client", "The client is unknown."));
        }
        let confidential = match &request.client_secret {
            Some(secret) if same(secret, &self.config.api_key) => true,
            Some(_) => return Err(Refusal::OAuth("invalid_client", "The client secret is wrong.")),
            None => false,
        };
        match request.grant_type.as_deref() {
            Some("authorization_code") => self.exchange_code(request, confidential),
            Some("refresh_token") => self.refresh(request, confidential),
            Some("urn:ietf:params:oauth:grant-type:device_code") => self.poll_device(request),
            Some(grant) if grant == "password" || grant.starts_with("urn:workos:oauth:grant-type:") => {
                if !confidential {
                    return Err(Refusal::OAuth("invalid_client", "The client secret is missing."));
                }
                self.sign_in_with(grant, request)
            }
            Some(_) => Err(Refusal::OAuth("unsupported_grant_type", "The grant is not supported.")),
            None => Err(Refusal::OAuth("invalid_request", "The grant type is missing.")),
        }
    }

    /// The API key of `Authorization: Bearer` (RFC 6750 §2.1).
    pub(super) fn authorize_key(&self, bearer: Option<&str>) -> Result<(), Refusal> {
        if bearer.is_some_and(|key| same(key, &self.config.api_key)) { Ok(()) } else { Err(Refusal::Unauthorized) }
    }

    pub(super) fn knows_client(&self, client_id: &str) -> bool {
        client_id == self.config.client_id
    }

    fn exchange_code(&self, request: &TokenRequest, confidential: bool) -> Result<Value, Refusal> {
        let mut state = self.state();
        let code = request.code.as_deref().ok_or(Refusal::OAuth("invalid_request", "The code is missing."))?;
        let session_id = random("session_")?;
        let verifier = request.code_verifier.as_deref();
        let began = state.now();
        let login = state.redeem(code, verifier, confidential, false, &session_id)?;
        let session = Session {
            user_id: login.user_id.clone(),
            confidential,
            organization_id: login.organization_id.clone(),
            impersonator: login.impersonator.clone(),
            began,
            ended: None,
        };
        self.begin_session(&mut state, session_id, session)
    }

    /// `POST /sso/token`
    pub(super) fn exchange_sso_code(&self, body: &Value) -> Result<Value, Refusal> {
        let field = |name: &str| body[name].as_str();
        if field("client_id") != Some(&self.config.client_id)
            || !field("client_secret").is_some_and(|secret| same(secret, &self.config.api_key))
        {
            return Err(Refusal::OAuth("invalid_client", "The client is unknown, or its secret is wrong."));
        }
        if field("grant_type") != Some("authorization_code") {
            return Err(Refusal::OAuth("unsupported_grant_type", "The grant is not supported."));
        }
        let code = field("code").ok_or(Refusal::OAuth("invalid_request", "The code is missing."))?;
        let (token, mut state) = (random("sso_")?, self.state());
        let login = state.redeem(code, field("code_verifier"), true, true, &token)?;
        let user_id = login.user_id.clone();
        let profile = state.user(&user_id)?.profile();
        state.sso_tokens.insert(token.clone(), user_id);
        Ok(json!({"token_type": "Bearer", "access_token": token, "expires_in": 600, "profile": profile}))
    }

    /// `GET /sso/profile`
    pub(super) fn sso_profile(&self, bearer: Option<&str>) -> Result<Value, Refusal> {
        let state = self.state();
        let user_id = bearer.and_then(|token| state.sso_tokens.get(token)).ok_or(Refusal::Unauthorized)?;
        Ok(state.user(user_id)?.profile())
    }

    pub(super) fn begin_session(&self, state: &mut State, id: String, session: Session) -> Result<Value, Refusal> {
        state.sessions.insert(id.clone(), session);
        self.issue_tokens(state, &id)
    }

    /// Rotation (RFC 9700 §4.14.2), with a window in which a lost reply can be asked for again.
    fn refresh(&self, request: &TokenRequest, confidential: bool) -> Result<Value, Refusal> {
        const INVALID: Refusal = Refusal::OAuth("invalid_grant", "The refresh token is unknown, expired or used.");
        let missing = Refusal::OAuth("invalid_request", "The refresh token is missing.");
        let given = request.refresh_token.as_deref().ok_or(missing)?;
        let mut state = self.state();
        let now = state.now();
        let token = state.refresh_tokens.get(given).ok_or(INVALID)?;
        let session_id = token.session_id.clone();
        let session = state.sessions.get(&session_id).filter(|session| session.ended.is_none()).ok_or(INVALID)?;
        if session.confidential && !confidential {
            return Err(Refusal::OAuth("invalid_client", "The client secret is missing."));
        }
        if let Some((when, organization_id, reply)) = &token.rotated {
            // Only the very same request is a replay; one for another organization is not.
            let replay = now < after(*when, REPLAY_WINDOW) && *organization_id == request.organization_id;
            return if replay { Ok(reply.clone()) } else { Err(INVALID) };
        }
        if let Some(organization_id) = &request.organization_id {
            if !state.user(&session.user_id)?.organizations.contains(organization_id) {
                return Err(Refusal::OAuth("organization_membership_not_found", "The user is no member."));
            }
            if let Some(session) = state.sessions.get_mut(&session_id) {
                session.organization_id = Some(organization_id.clone());
            }
        }
        let reply = self.issue_tokens(&mut state, &session_id)?;
        state.refreshes += 1;
        if let Some(token) = state.refresh_tokens.get_mut(given) {
            token.rotated = Some((now, request.organization_id.clone(), reply.clone()));
        }
        Ok(reply)
    }

    fn issue_tokens(&self, state: &mut State, session_id: &str) -> Result<Value, Refusal> {
        let now = state.now();
        let issued = now.checked_add(state.skew).unwrap_or(now);
        let session = state.sessions.get(session_id).ok_or(Refusal::Broken)?;
        let user = state.user(&session.user_id)?;
        let mut claims = json!({
            "iss": self.issuer,
            "sub": user.id,
            "sid": session_id,
            "jti": random("")?,
            "client_id": self.config.client_id,
            "iat": issued.as_second(),
            "exp": after(issued, self.config.access_token_lifetime).as_second(),
        });
        let mut reply = json!({
            "user": user.json(Some(now)),
            "refresh_token": random("")?,
            "authentication_method": if session.impersonator.is_some() { "Impersonation" } else { "Password" },
        });
        if let Some(id) = &session.organization_id {
            claims["org_id"] = json!(id);
            reply["organization_id"] = json!(id);
        }
        if let Some(role) = &user.role {
            claims["role"] = json!(role);
            claims["roles"] = json!([role]);
        }
        if !user.permissions.is_empty() {
            claims["permissions"] = json!(user.permissions);
        }
        if let Some((email, reason)) = &session.impersonator {
            claims["act"] = json!({"sub": email});
            reply["impersonator"] = json!({"email": email, "reason": reason});
        }
        reply["access_token"] = json!(state.keys.first().ok_or(Refusal::Broken)?.sign(&claims)?);
        let token = RefreshToken { session_id: session_id.to_owned(), rotated: None };
        state.refresh_tokens.insert(reply["refresh_token"].as_str().unwrap_or_default().to_owned(), token);
        Ok(reply)
    }

    /// `GET /user_management/sessions/logout`: where the browser goes from there.
    pub(super) fn log_out(&self, session_id: &str, return_to: Option<&str>) -> Option<String> {
        self.state().end_session(session_id);
        return_to.filter(|url| is_loopback(url)).map(str::to_owned)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Uses up a code, for a session or an SSO access token.
    fn redeem(
        &mut self,
        given: &str,
        verifier: Option<&str>,
        confidential: bool,
        sso: bool,
        used_for: &str,
    ) -> Result<&Login, Refusal> {
        const INVALID: Refusal = Refusal::OAuth("invalid_grant", "The code is unknown, expired or used.");
        let now = self.now();
        if let Some(session_id) = self.codes.get(given).and_then(|code| code.used_for.clone()) {
            self.end_session(&session_id);
            self.sso_tokens.remove(&session_id);
            return Err(INVALID);
        }
        let code = self.codes.get_mut(given).filter(|code| code.login.sso == sso).ok_or(INVALID)?;
        if code.burnt || now >= code.expires {
            return Err(INVALID);
        }
        if code.login.code_challenge.is_some() && verifier.is_none() {
            return Err(Refusal::OAuth("invalid_request", "The code verifier is missing."));
        }
        let proven = match (&code.login.code_challenge, verifier) {
            (Some(challenge), Some(verifier)) => proves(verifier, challenge),
            // A client without PKCE must be a confidential one.
            (None, None) => confidential,
            // RFC 9700 §2.1.1: a verifier without a challenge is a downgrade.
            _ => false,
        };
        if !proven {
            code.burnt = true;
            return Err(Refusal::OAuth("invalid_grant", "The code verifier is wrong."));
        }
        code.used_for = Some(used_for.to_owned());
        Ok(&code.login)
    }

    pub(super) fn user_by_email(&self, email: &str) -> Option<&TestUser> {
        self.users.iter().find(|user| user.email.eq_ignore_ascii_case(email))
    }

    pub(super) fn user(&self, id: &str) -> Result<TestUser, Refusal> {
        self.users.iter().find(|user| user.id == id).cloned().ok_or(Refusal::NotFound)
    }

    pub(super) fn user_mut(&mut self, id: &str) -> Result<&mut TestUser, Refusal> {
        self.users.iter_mut().find(|user| user.id == id).ok_or(Refusal::NotFound)
    }

    fn new(clock: Option<ManualClock>, key: SigningKey, users: Vec<TestUser>) -> Self {
        Self {
            clock,
            ahead: Duration::ZERO,
            skew: SignedDuration::ZERO,
            keys: vec![Arc::new(key)],
            faults: Faults::default(),
            refreshes: 0,
            requests: HashMap::new(),
            transactions: HashMap::new(),
            codes: HashMap::new(),
            sessions: HashMap::new(),
            refresh_tokens: HashMap::new(),
            users,
            sso_tokens: HashMap::new(),
            logins: Logins::default(),
            directory: Directory::default(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        after(self.clock.as_ref().map_or_else(Timestamp::now, ManualClock::now), self.ahead)
    }

    fn end_session(&mut self, id: &str) {
        let now = self.now();
        if let Some(session) = self.sessions.get_mut(id) {
            session.ended.get_or_insert(now);
        }
        self.refresh_tokens.retain(|_, token| token.session_id != id);
    }

    pub(super) fn revoke_session(&mut self, id: &str) -> Result<(), Refusal> {
        if !self.sessions.contains_key(id) {
            return Err(Refusal::NotFound);
        }
        self.end_session(id);
        Ok(())
    }

    /// The sessions of a user, the oldest first.
    pub(super) fn sessions_of(&self, user_id: &str) -> Result<Vec<Value>, Refusal> {
        self.user(user_id)?;
        let mut sessions: Vec<_> = self.sessions.iter().filter(|(_, session)| session.user_id == user_id).collect();
        sessions.sort_by_key(|(id, session)| (session.began, *id));
        Ok(sessions.into_iter().map(|(id, session)| session.json(id)).collect())
    }

    pub(super) fn end_sessions_of(&mut self, user_id: &str) {
        let sessions = self.sessions.iter().filter(|(_, session)| session.user_id == user_id);
        for id in sessions.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.end_session(&id);
        }
    }
}

pub(super) fn after(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// RFC 7636 §4.1 and §4.6.
fn proves(verifier: &str, challenge: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && same(&BASE64URL.encode(Sha256::digest(verifier)), challenge)
}

fn is_challenge(text: &str) -> bool {
    BASE64URL.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// An `http` URI on 127.0.0.1, `[::1]` or localhost, judged as it stands: the URL parser takes `http:\\127.1` for one,
/// and the browser that is sent there may not.
fn is_loopback(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let port = ["127.0.0.1", "[::1]", "localhost"].iter().find_map(|host| authority.strip_prefix(host));
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    port.is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\')
}

pub(super) fn same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

/// 128 random bits.
pub(super) fn random(prefix: &str) -> io::Result<String> {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().fold(prefix.to_owned(), |text, byte| format!("{text}{byte:02x}")))
}

fn with_answer(redirect_uri: &str, answer: (&str, &str), state: Option<&str>) -> Option<String> {
    match state {
        Some(state) => with_query(redirect_uri, &[answer, ("state", state)]),
        None => with_query(redirect_uri, &[answer]),
    }
}

fn with_query(redirect_uri: &str, pairs: &[(&str, &str)]) -> Option<String> {
    Url::parse(redirect_uri).ok()?;
    // The URI stays as it was given: writing a parsed URL would add a slash to `http://127.0.0.1:8080`.
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Some(format!("{redirect_uri}{separator}{query}"))
}
