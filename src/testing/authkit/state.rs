//! Everything that the in-process AuthKit remembers. The files that serve requests add their methods to [`State`].

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::customer_keys::TestApiKey;
use super::endpoint::Endpoint;
use super::factors::Factors;
use super::fault::{Fault, Faults};
use super::keys::SigningKey;
#[cfg(feature = "server")]
use super::machines::TestMachine;
use super::one_time_code::OneTimeCode;
use super::redirect::is_loopback;
use super::refusal::Refusal;
use super::user::TestUser;
use super::values::same;
use crate::testing::clock::{ManualClock, Skew};

/// What the builder has set.
pub(super) struct Config {
    pub(super) client_id: String,
    pub(super) api_key: String,
    pub(super) users: Vec<TestUser>,
    pub(super) customer_keys: Vec<TestApiKey>,
    #[cfg(feature = "server")]
    pub(super) machines: Vec<TestMachine>,
    pub(super) redirect_uris: Vec<String>,
    /// Domains whose users must sign in with SSO, and their connections.
    pub(super) sso_domains: Vec<(String, String)>,
    pub(super) access_token_lifetime: Duration,
    pub(super) code_lifetime: Duration,
}

impl Config {
    pub(super) fn allows(&self, redirect_uri: &str) -> bool {
        if self.redirect_uris.is_empty() {
            return is_loopback(redirect_uri);
        }
        self.redirect_uris.iter().any(|allowed| allowed == redirect_uri)
    }
}

/// The state as the server and the test share it.
#[derive(Clone)]
pub(super) struct SharedState(Arc<Mutex<State>>);

impl SharedState {
    pub(super) fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct State {
    pub(super) config: Arc<Config>,
    /// The address of the server.
    pub(super) base_url: String,
    clock: ManualClock,
    /// How wrong the times in its tokens are.
    pub(super) token_skew: Skew,
    /// The newest first.
    pub(super) keys: Vec<SigningKey>,
    pub(super) faults: Faults,
    pub(super) request_counts: HashMap<Endpoint, usize>,
    pub(super) users: Vec<TestUser>,
    /// By transaction ID.
    pub(super) transactions: HashMap<String, Transaction>,
    /// By authorization code.
    pub(super) codes: HashMap<String, Code>,
    /// By SSO access token: the ID of the user.
    pub(super) sso_tokens: HashMap<String, String>,
    /// By session ID.
    pub(super) sessions: HashMap<String, Session>,
    pub(super) refresh_tokens: HashMap<String, RefreshToken>,
    pub(super) refreshes: usize,
    /// By pending authentication token.
    pub(super) pending_logins: HashMap<String, PendingLogin>,
    pub(super) factors: Factors,
    /// By device code.
    pub(super) devices: HashMap<String, Device>,
    /// By e-mail address.
    pub(super) magic_auth_codes: HashMap<String, OneTimeCode>,
    /// By user ID: the code that verifies the address.
    pub(super) verification_codes: HashMap<String, OneTimeCode>,
    /// By user ID: the new address, and the code that confirms it.
    pub(super) email_changes: HashMap<String, (String, OneTimeCode)>,
    /// By user ID: the last code that was sent, for the test to read.
    pub(super) last_codes: HashMap<String, String>,
    pub(super) records: Records,
    /// By the value of an API key: its ID.
    pub(super) customer_key_values: HashMap<String, String>,
}

/// Objects that the API creates and returns as they are. Each list has the oldest first.
#[derive(Default)]
pub(super) struct Records {
    pub(super) email_verifications: Vec<Value>,
    pub(super) password_resets: Vec<Value>,
    pub(super) magic_auths: Vec<Value>,
    pub(super) invitations: Vec<Value>,
    pub(super) memberships: Vec<Value>,
    /// Without their values.
    pub(super) customer_keys: Vec<Value>,
}

/// A sign-in on the AuthKit's pages that isn't finished.
pub(super) struct Transaction {
    pub(super) purpose: Purpose,
    /// The organization that the request names.
    pub(super) organization_id: Option<String>,
    /// The user who has been picked.
    pub(super) user_id: Option<String>,
    pub(super) mfa_passed: bool,
}

/// What happens when the user has signed in.
pub(super) enum Purpose {
    /// The browser goes back to the application.
    Redirect {
        redirect_uri: String,
        state: Option<String>,
        code_challenge: Option<String>,
        /// The request came to `/sso/authorize`.
        sso: bool,
    },
    /// The device with this user code gets the session.
    Device { user_code: String },
}

/// What an authorization code was issued for.
#[derive(Clone)]
pub(super) struct Authorization {
    pub(super) user_id: String,
    pub(super) sso: bool,
    pub(super) organization_id: Option<String>,
    pub(super) code_challenge: Option<String>,
    pub(super) impersonator: Option<Impersonator>,
}

pub(super) struct Code {
    pub(super) authorization: Authorization,
    pub(super) expires: Timestamp,
    /// The session or SSO access token that the code was exchanged for. Using the code again ends it (RFC 6749 §4.1.2).
    pub(super) exchanged_for: Option<String>,
    /// A wrong code verifier was given.
    pub(super) invalidated: bool,
}

#[derive(Clone)]
pub(super) struct Impersonator {
    pub(super) email: String,
    pub(super) reason: Option<String>,
}

pub(super) struct Session {
    pub(super) user_id: String,
    /// A confidential client started it, so a refresh needs the client secret.
    pub(super) confidential: bool,
    pub(super) organization_id: Option<String>,
    pub(super) impersonator: Option<Impersonator>,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
}

pub(super) struct RefreshToken {
    pub(super) session_id: String,
    pub(super) rotation: Option<Rotation>,
}

/// The refresh that a token was used for.
pub(super) struct Rotation {
    pub(super) time: Timestamp,
    /// The organization that the request named.
    pub(super) organization_id: Option<String>,
    pub(super) reply: Value,
}

/// A login that has begun, and the steps that it has passed.
#[derive(Clone)]
pub(super) struct PendingLogin {
    pub(super) user_id: String,
    pub(super) email: String,
    /// The organization that the user selected.
    pub(super) organization_id: Option<String>,
    pub(super) radar_passed: bool,
    pub(super) mfa_passed: bool,
    /// The ID of the Radar challenge by e-mail that the login waits for.
    pub(super) radar_challenge_id: Option<String>,
    /// The Radar challenge by SMS that the login waits for.
    pub(super) radar_sms: Option<RadarSms>,
    /// The code that the current step waits for.
    pub(super) code: Option<OneTimeCode>,
}

#[derive(Clone)]
pub(super) struct RadarSms {
    pub(super) verification_id: String,
    pub(super) phone_number: String,
}

pub(super) struct Device {
    pub(super) user_code: String,
    pub(super) expires: Timestamp,
    pub(super) decision: DeviceDecision,
}

impl Device {
    /// Whether the user may still decide about it.
    pub(super) fn is_waiting(&self, now: Timestamp) -> bool {
        matches!(self.decision, DeviceDecision::Pending) && now < self.expires
    }
}

/// What the user did on the approval page.
pub(super) enum DeviceDecision {
    Pending,
    Denied,
    Approved { user_id: String },
}

impl Drop for State {
    fn drop(&mut self) {
        SigningKey::leave(std::mem::take(&mut self.keys));
    }
}

impl State {
    pub(super) fn new(config: Arc<Config>, base_url: String, clock: ManualClock, key: SigningKey) -> Self {
        Self {
            base_url,
            clock,
            token_skew: Skew::NONE,
            keys: vec![key],
            faults: Faults::default(),
            request_counts: HashMap::new(),
            users: config.users.clone(),
            transactions: HashMap::new(),
            codes: HashMap::new(),
            sso_tokens: HashMap::new(),
            sessions: HashMap::new(),
            refresh_tokens: HashMap::new(),
            refreshes: 0,
            pending_logins: HashMap::new(),
            factors: Factors::default(),
            devices: HashMap::new(),
            magic_auth_codes: HashMap::new(),
            verification_codes: HashMap::new(),
            email_changes: HashMap::new(),
            last_codes: HashMap::new(),
            records: Records::default(),
            customer_key_values: HashMap::new(),
            config,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.timestamp()
    }

    /// Counts a request, and returns the fault that it meets.
    pub(super) fn count_request(&mut self, path: &str) -> Option<Fault> {
        let endpoint = Endpoint::of(path);
        for counted in endpoint.into_iter().chain([Endpoint::All]) {
            *self.request_counts.entry(counted).or_default() += 1;
        }
        let now = self.now();
        self.faults.take(endpoint, now)
    }

    pub(super) fn knows_client(&self, client_id: Option<&str>) -> bool {
        client_id == Some(self.config.client_id.as_str())
    }

    pub(super) fn is_api_key(&self, given: &str) -> bool {
        same(given, &self.config.api_key)
    }

    /// Checks the API key of `Authorization: Bearer` (RFC 6750 §2.1).
    pub(super) fn check_api_key(&self, bearer: Option<&str>) -> Result<(), Refusal> {
        if bearer.is_some_and(|key| self.is_api_key(key)) { Ok(()) } else { Err(Refusal::Unauthorized) }
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

    /// Says that there is no user with this address, and which there are.
    pub(super) fn unknown_user(&self, email: &str) -> io::Error {
        let users = self.users.iter().map(|user| user.email.as_str()).collect::<Vec<_>>().join(", ");
        io::Error::new(io::ErrorKind::NotFound, format!("there is no user {email}, but there are: {users}"))
    }

    /// Makes a code for a user, which the test can read.
    pub(super) fn send_code(&mut self, user_id: &str) -> io::Result<OneTimeCode> {
        let code = OneTimeCode::new(self.now())?;
        self.last_codes.insert(user_id.to_owned(), code.code().to_owned());
        Ok(code)
    }
}
