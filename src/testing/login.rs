//! Logins that take several steps, as the in-process AuthKit demands them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use rand::TryRng;
use rand::rngs::SysRng;
use serde_json::{Value, json};

use super::authkit::{Mfa, RadarDemand, Refusal, Service, Session, State, TestUser, TokenRequest, after, random, same};

const CODE_LIFETIME: Duration = Duration::from_secs(600);
const DEVICE_LIFETIME: Duration = Duration::from_secs(300);
const MAX_ATTEMPTS: u32 = 5;
/// RFC 6238 §5.2.
const TOTP_STEP: i64 = 30;

/// What logins in progress have left behind.
#[derive(Default)]
pub(super) struct Logins {
    attempts: HashMap<String, Attempt>,
    /// By e-mail address.
    magic_auth: HashMap<String, OneTimeCode>,
    /// By pending token: the code that the step waits for.
    codes: HashMap<String, OneTimeCode>,
    /// By user: the last code that was sent, for the test to read.
    sent: HashMap<String, String>,
    verified: HashSet<String>,
    factors: HashMap<String, Factor>,
    challenges: HashMap<String, Challenge>,
    devices: HashMap<String, Device>,
}

/// A login that has begun, and what it has passed already.
#[derive(Clone)]
struct Attempt {
    user_id: String,
    organization_id: Option<String>,
    radar: bool,
    mfa: bool,
    /// The Radar challenge by e-mail that the login waits for.
    radar_email: Option<String>,
    /// The verification and telephone number of a Radar sign-up by SMS.
    sms: Option<(String, String)>,
}

struct OneTimeCode {
    code: String,
    expires: Timestamp,
    attempts: u32,
}

struct Factor {
    user_id: String,
    secret: Vec<u8>,
    /// A code is good once (RFC 6238 §5.2).
    last_used: Option<i64>,
}

struct Challenge {
    factor_id: String,
    expires: Timestamp,
    attempts: u32,
}

struct Device {
    user_code: String,
    expires: Timestamp,
    verdict: Verdict,
}

/// What the user did on the approval page.
enum Verdict {
    None,
    Denied,
    Approved { user_id: String },
}

impl Logins {
    pub(super) fn is_verified(&self, user: &TestUser) -> bool {
        user.email_verified || self.verified.contains(&user.id)
    }
}

impl OneTimeCode {
    fn new(now: Timestamp) -> io::Result<Self> {
        let mut bytes = [0; 4];
        SysRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
        let code = format!("{:06}", u32::from_le_bytes(bytes) % 1_000_000);
        Ok(Self { code, expires: after(now, CODE_LIFETIME), attempts: 0 })
    }

    fn check(&mut self, given: &str, now: Timestamp) -> Result<(), Refusal> {
        if self.attempts >= MAX_ATTEMPTS {
            return Err(Refusal::Code("one_time_code_too_many_attempts"));
        }
        if now >= self.expires {
            return Err(Refusal::Code("one_time_code_expired"));
        }
        if !same(given, &self.code) {
            self.attempts += 1;
            return Err(Refusal::Code("invalid_one_time_code"));
        }
        Ok(())
    }
}

fn required(value: Option<&String>) -> Result<&str, Refusal> {
    value.map(String::as_str).ok_or(Refusal::OAuth("invalid_request", "A parameter is missing."))
}

impl Service {
    pub(super) fn send_magic_auth(&self, email: &str) -> io::Result<String> {
        let user = self.config.user(email).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut state = self.state();
        let code = OneTimeCode::new(state.now())?;
        let text = code.code.clone();
        state.logins.magic_auth.insert(user.email.clone(), code);
        Ok(text)
    }

    pub(super) fn last_code(&self, email: &str) -> Option<String> {
        let user = self.config.user(email)?;
        self.state().logins.sent.get(&user.id).cloned()
    }

    pub(super) fn totp_code(&self, email: &str) -> Option<String> {
        let user = self.config.user(email)?;
        let state = self.state();
        let factor = state.logins.factors.values().find(|factor| factor.user_id == user.id)?;
        // A code that was used is not shown again: the next one is.
        let step = state.now().as_second().div_euclid(TOTP_STEP);
        let step = factor.last_used.map_or(step, |used| step.max(used + 1));
        Some(totp(&factor.secret, step))
    }

    /// The grants of confidential clients that begin or continue a login.
    pub(super) fn sign_in_with(&self, grant: &str, request: &TokenRequest) -> Result<Value, Refusal> {
        let mut state = self.state();
        let state = &mut *state;
        let attempt = match grant.trim_start_matches("urn:workos:oauth:grant-type:") {
            "password" => {
                self.check_password(required(request.email.as_ref())?, required(request.password.as_ref())?)?
            }
            "magic-auth:code" => self.check_magic_auth(state, request)?,
            "mfa-totp" => Self::check_totp(state, request)?,
            "email-verification:code" => {
                let attempt = Self::check_code(state, request)?;
                state.logins.verified.insert(attempt.user_id.clone());
                attempt
            }
            "radar-email-challenge:code" | "radar-sms-challenge:code" => {
                let attempt = Self::check_code(state, request)?;
                let challenged = match (&attempt.radar_email, &attempt.sms) {
                    (Some(id), _) => grant.contains("radar-email") && request.radar_challenge_id.as_ref() == Some(id),
                    (None, Some((id, number))) => {
                        grant.contains("radar-sms")
                            && request.verification_id.as_ref() == Some(id)
                            && request.phone_number.as_ref() == Some(number)
                    }
                    (None, None) => grant.contains("radar-sms") && request.verification_id.is_none(),
                };
                if !challenged {
                    return Err(Refusal::Code("verification_id_required"));
                }
                Attempt { radar: true, radar_email: None, sms: None, ..attempt }
            }
            "organization-selection" => self.check_organization(state, request)?,
            _ => return Err(Refusal::OAuth("unsupported_grant_type", "The grant is not supported.")),
        };
        if let Some(token) = &request.pending_authentication_token {
            // A pending token is good for one step; the next one has its own.
            state.logins.attempts.remove(token);
            state.logins.codes.remove(token);
        }
        self.proceed(state, attempt)
    }

    fn check_password(&self, email: &str, password: &str) -> Result<Attempt, Refusal> {
        if let Some((_, connection)) = self
            .config
            .sso_domains
            .iter()
            .find(|(domain, _)| email.rsplit_once('@').is_some_and(|(_, given)| given.eq_ignore_ascii_case(domain)))
        {
            return Err(Refusal::Step(json!({
                "code": "sso_required",
                "message": "The user must sign in over SSO.",
                "email": email,
                "connection_ids": [connection],
            })));
        }
        let user = self
            .config
            .user(email)
            .filter(|user| user.password.as_ref().is_some_and(|expected| same(password, expected)));
        user.map(Attempt::begin).ok_or(Refusal::Code("invalid_credentials"))
    }

    fn check_magic_auth(&self, state: &mut State, request: &TokenRequest) -> Result<Attempt, Refusal> {
        let now = state.now();
        let user = self.config.user(required(request.email.as_ref())?).ok_or(Refusal::Code("invalid_one_time_code"))?;
        let code = state.logins.magic_auth.get_mut(&user.email).ok_or(Refusal::Code("invalid_one_time_code"))?;
        code.check(required(request.code.as_ref())?, now)?;
        state.logins.magic_auth.remove(&user.email);
        // Whoever reads the e-mail has verified the address.
        state.logins.verified.insert(user.id.clone());
        Ok(Attempt::begin(user))
    }

    fn attempt(state: &State, request: &TokenRequest) -> Result<Attempt, Refusal> {
        let token = required(request.pending_authentication_token.as_ref())?;
        state.logins.attempts.get(token).cloned().ok_or(Refusal::Code("invalid_pending_authentication_token"))
    }

    fn check_code(state: &mut State, request: &TokenRequest) -> Result<Attempt, Refusal> {
        let attempt = Self::attempt(state, request)?;
        let now = state.now();
        let token = required(request.pending_authentication_token.as_ref())?;
        let code = state.logins.codes.get_mut(token).ok_or(Refusal::Code("invalid_one_time_code"))?;
        code.check(required(request.code.as_ref())?, now)?;
        Ok(attempt)
    }

    fn check_totp(state: &mut State, request: &TokenRequest) -> Result<Attempt, Refusal> {
        let attempt = Self::attempt(state, request)?;
        let now = state.now();
        let given = required(request.code.as_ref())?;
        let id = required(request.authentication_challenge_id.as_ref())?;
        let challenge = state.logins.challenges.get_mut(id).ok_or(Refusal::Code("invalid_one_time_code"))?;
        if challenge.attempts >= MAX_ATTEMPTS {
            return Err(Refusal::Code("one_time_code_too_many_attempts"));
        }
        if now >= challenge.expires {
            return Err(Refusal::Code("one_time_code_expired"));
        }
        let factor = state.logins.factors.get_mut(&challenge.factor_id).ok_or(Refusal::Broken)?;
        if factor.user_id != attempt.user_id {
            return Err(Refusal::Code("user_mismatch"));
        }
        // One step to either side, for clocks that differ (RFC 6238 §5.2).
        let step = now.as_second().div_euclid(TOTP_STEP);
        let Some(step) = (step - 1..=step + 1).find(|step| same(given, &totp(&factor.secret, *step))) else {
            challenge.attempts += 1;
            return Err(Refusal::Code("invalid_one_time_code"));
        };
        if factor.last_used.is_some_and(|used| step <= used) {
            return Err(Refusal::Code("one_time_code_previously_used"));
        }
        factor.last_used = Some(step);
        state.logins.challenges.remove(id);
        Ok(Attempt { mfa: true, ..attempt })
    }

    fn check_organization(&self, state: &State, request: &TokenRequest) -> Result<Attempt, Refusal> {
        let attempt = Self::attempt(state, request)?;
        let id = required(request.organization_id.as_ref())?;
        if !self.user(&attempt.user_id)?.organizations.iter().any(|organization| organization == id) {
            return Err(Refusal::OAuth("organization_membership_not_found", "The user is no member."));
        }
        Ok(Attempt { organization_id: Some(id.to_owned()), ..attempt })
    }

    /// The next step that a login needs, or its tokens.
    fn proceed(&self, state: &mut State, mut attempt: Attempt) -> Result<Value, Refusal> {
        let user = self.user(&attempt.user_id)?;
        let now = state.now();
        let summary = json!({"object": "user", "id": user.id, "email": user.email});
        let mut step = if let (Some(demand), false) = (user.radar, attempt.radar) {
            match demand {
                RadarDemand::Email => {
                    let id = random("radar_challenge_")?;
                    attempt.radar_email = Some(id.clone());
                    json!({"code": "radar_challenge", "radar_challenge_id": id})
                }
                RadarDemand::SmsSignUp => json!({"code": "radar_sign_up_challenge", "user": summary}),
                RadarDemand::SmsSignIn => json!({"code": "radar_sms_sign_in_challenge", "user": summary}),
            }
        } else if !state.logins.is_verified(user) {
            json!({
                "code": "email_verification_required",
                "email": user.email,
                "email_verification_id": random("email_verification_")?,
            })
        } else if user.mfa != Mfa::Off && !attempt.mfa {
            Self::ensure_factor(state, user)?;
            let mut factors = state.logins.factors.iter().filter(|(_, factor)| factor.user_id == user.id).peekable();
            if factors.peek().is_none() {
                json!({"code": "mfa_enrollment", "user": summary})
            } else {
                let factors: Vec<Value> = factors.map(|(id, _)| json!({"id": id, "type": "totp"})).collect();
                json!({"code": "mfa_challenge", "user": summary, "authentication_factors": factors})
            }
        } else if user.organizations.len() > 1 && attempt.organization_id.is_none() {
            let organizations: Vec<Value> =
                user.organizations.iter().map(|id| json!({"id": id, "name": format!("Organization {id}")})).collect();
            json!({"code": "organization_selection_required", "user": summary, "organizations": organizations})
        } else {
            let organization_id = attempt.organization_id.or_else(|| user.organizations.first().cloned());
            let session = Session { user_id: user.id.clone(), confidential: true, organization_id, impersonator: None };
            return self.begin_session(state, random("session_")?, session);
        };
        let token = random("pending_")?;
        let sends_code = ["radar_challenge", "radar_sms_sign_in_challenge", "email_verification_required"];
        if sends_code.iter().any(|code| step["code"] == *code) {
            Self::send_code(state, &token, &user.id, now)?;
        }
        state.logins.attempts.insert(token.clone(), attempt);
        step["message"] = json!("The login needs a further step.");
        step["pending_authentication_token"] = json!(token);
        Err(Refusal::Step(step))
    }

    fn send_code(state: &mut State, token: &str, user_id: &str, now: Timestamp) -> io::Result<()> {
        let code = OneTimeCode::new(now)?;
        state.logins.sent.insert(user_id.to_owned(), code.code.clone());
        state.logins.codes.insert(token.to_owned(), code);
        Ok(())
    }

    fn user(&self, id: &str) -> Result<&TestUser, Refusal> {
        self.config.users.iter().find(|user| user.id == id).ok_or(Refusal::NotFound)
    }

    /// A user who is said to have a factor has one from the first login on.
    fn ensure_factor(state: &mut State, user: &TestUser) -> Result<(), Refusal> {
        let enrolled = state.logins.factors.values().any(|factor| factor.user_id == user.id);
        if user.mfa == Mfa::Enrolled && !enrolled {
            Self::new_factor(state, &user.id)?;
        }
        Ok(())
    }

    fn new_factor(state: &mut State, user_id: &str) -> Result<(String, String), Refusal> {
        let mut secret = vec![0; 20];
        SysRng.try_fill_bytes(&mut secret).map_err(io::Error::other)?;
        let (id, text) = (random("auth_factor_")?, base32(&secret));
        let factor = Factor { user_id: user_id.to_owned(), secret, last_used: None };
        state.logins.factors.insert(id.clone(), factor);
        Ok((id, text))
    }

    fn new_challenge(state: &mut State, factor_id: &str) -> Result<Value, Refusal> {
        let (id, now) = (random("auth_challenge_")?, state.now());
        let expires = after(now, CODE_LIFETIME);
        state.logins.challenges.insert(id.clone(), Challenge { factor_id: factor_id.to_owned(), expires, attempts: 0 });
        Ok(json!({
            "object": "authentication_challenge",
            "id": id,
            "authentication_factor_id": factor_id,
            "expires_at": format!("{expires:.3}"),
            "created_at": format!("{now:.3}"),
            "updated_at": format!("{now:.3}"),
        }))
    }

    /// `POST /auth/factors/{id}/challenge`
    pub(super) fn challenge_factor(&self, id: &str) -> Result<Value, Refusal> {
        let mut state = self.state();
        if !state.logins.factors.contains_key(id) {
            return Err(Refusal::NotFound);
        }
        Self::new_challenge(&mut state, id)
    }

    /// `POST /user_management/users/{id}/auth_factors`
    pub(super) fn enroll_factor(&self, user_id: &str, body: &Value) -> Result<Value, Refusal> {
        let user = self.user(user_id)?;
        if body["type"] != "totp" {
            return Err(Refusal::OAuth("invalid_request", "The factor is not a TOTP factor."));
        }
        let mut state = self.state();
        let now = format!("{:.3}", state.now());
        let (id, secret) = Self::new_factor(&mut state, &user.id)?;
        let challenge = Self::new_challenge(&mut state, &id)?;
        let issuer = body["totp_issuer"].as_str().unwrap_or("AuthKit");
        let account = body["totp_user"].as_str().unwrap_or(&user.email);
        Ok(json!({
            "authentication_factor": {
                "object": "authentication_factor",
                "id": id,
                "type": "totp",
                "user_id": user.id,
                "totp": {
                    "issuer": issuer,
                    "user": account,
                    "secret": secret,
                    "qr_code": "data:image/png;base64,iVBORw0KGgo=",
                    "uri": format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}"),
                },
                "created_at": now,
                "updated_at": now,
            },
            "authentication_challenge": challenge,
        }))
    }

    /// `POST /user_management/radar_challenges`
    pub(super) fn send_radar_sms(&self, body: &Value) -> Result<Value, Refusal> {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let mut state = self.state();
        let now = state.now();
        let number = text("phone_number").ok_or(Refusal::Code("phone_number_required"))?;
        let token = text("pending_authentication_token").unwrap_or_default();
        let verification_id = random("verification_")?;
        let attempt = state.logins.attempts.get_mut(&token);
        let attempt = attempt.filter(|attempt| Some(&attempt.user_id) == text("user_id").as_ref());
        let attempt = attempt.ok_or(Refusal::Code("invalid_pending_authentication_token"))?;
        attempt.sms = Some((verification_id.clone(), number.clone()));
        let user_id = attempt.user_id.clone();
        Self::send_code(&mut state, &token, &user_id, now)?;
        Ok(json!({"verification_id": verification_id, "phone_number": number}))
    }

    /// `POST /user_management/authorize/device` (RFC 8628 §3.1).
    pub(super) fn authorize_device(&self, client_id: &str) -> Result<Value, Refusal> {
        if !self.knows_client(client_id) {
            return Err(Refusal::OAuth("invalid_client", "The client is unknown."));
        }
        let mut state = self.state();
        let code = random("device_")?;
        let user_code = random("")?.to_uppercase();
        let user_code = format!("{}-{}", &user_code[..4], &user_code[4..8]);
        let verification_uri = format!("{}/device", self.issuer());
        let expires = after(state.now(), DEVICE_LIFETIME);
        state
            .logins
            .devices
            .insert(code.clone(), Device { user_code: user_code.clone(), expires, verdict: Verdict::None });
        Ok(json!({
            "device_code": code,
            "user_code": user_code,
            "verification_uri": verification_uri,
            "verification_uri_complete": format!("{verification_uri}?user_code={user_code}"),
            "expires_in": DEVICE_LIFETIME.as_secs(),
            "interval": 5,
        }))
    }

    /// What the user does on the approval page; whether it was understood.
    pub(super) fn approve_device(&self, user_code: &str, email: &str, deny: bool) -> bool {
        let user_id = self.config.user(email).map(|user| user.id.clone());
        if !deny && user_id.is_none() {
            return false;
        }
        let mut state = self.state();
        match state.logins.devices.values_mut().find(|device| device.user_code == user_code) {
            Some(device) => {
                device.verdict = match user_id {
                    Some(user_id) if !deny => Verdict::Approved { user_id },
                    _ => Verdict::Denied,
                };
                true
            }
            None => false,
        }
    }

    /// The device grant (RFC 8628 §3.5).
    pub(super) fn poll_device(&self, request: &TokenRequest) -> Result<Value, Refusal> {
        let given = required(request.device_code.as_ref())?;
        let mut state = self.state();
        let now = state.now();
        let device = state.logins.devices.get(given).ok_or(Refusal::OAuth("invalid_grant", "Unknown device code."))?;
        if now >= device.expires {
            return Err(Refusal::OAuth("expired_token", "The device code has expired."));
        }
        let user_id = match &device.verdict {
            Verdict::None => return Err(Refusal::OAuth("authorization_pending", "The user has not finished.")),
            Verdict::Denied => return Err(Refusal::OAuth("access_denied", "The user has denied it.")),
            Verdict::Approved { user_id } => user_id.clone(),
        };
        let organization_id = self.user(&user_id)?.organizations.first().cloned();
        state.logins.devices.remove(given);
        let session = Session { user_id, confidential: false, organization_id, impersonator: None };
        self.begin_session(&mut state, random("session_")?, session)
    }
}

impl Attempt {
    fn begin(user: &TestUser) -> Self {
        Self { user_id: user.id.clone(), organization_id: None, radar: false, mfa: false, radar_email: None, sms: None }
    }
}

/// RFC 6238 with HMAC-SHA-1 and six digits, over RFC 4226 §5.3.
fn totp(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let offset = usize::from(tag.as_ref().last().copied().unwrap_or(0) & 0xf);
    let truncated = tag.as_ref().iter().skip(offset).take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    format!("{:06}", (truncated & 0x7fff_ffff) % 1_000_000)
}

/// RFC 4648 §6, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut bits, mut buffer) = (0, 0_usize);
    for byte in bytes {
        buffer = (buffer & 0xff) << 8 | usize::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[buffer >> bits & 31]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[buffer << (5 - bits) & 31]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, its last six digits.
    #[test]
    fn totp_gives_the_codes_of_the_rfc() {
        let codes = [59, 1_111_111_109, 1_234_567_890, 20_000_000_000_i64]
            .map(|second| totp(b"12345678901234567890", second.div_euclid(TOTP_STEP)));
        assert_eq!(codes, ["287082", "081804", "005924", "353130"]);
    }

    /// RFC 4648 §10.
    #[test]
    fn base32_encodes_as_in_the_rfc() {
        assert_eq!(
            ["f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base32(text.as_bytes())),
            ["MY", "MZXQ", "MZXW6", "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI"]
        );
    }
}
