//! Logins that take several steps, as the in-process AuthKit demands them.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use rand::TryRng;
use rand::rngs::SysRng;
use serde_json::{Value, json};

use super::authkit::{Mfa, RadarDemand, Refusal, Service, Session, State, TestUser, TokenRequest, after, random, same};
use super::directory::written;

pub(super) const CODE_LIFETIME: Duration = Duration::from_secs(600);
const DEVICE_LIFETIME: Duration = Duration::from_secs(300);
const MAX_ATTEMPTS: u32 = 5;
/// RFC 6238 §5.2.
const TOTP_STEP: i64 = 30;

/// What logins in progress have left behind.
#[derive(Default)]
pub(super) struct Logins {
    attempts: HashMap<String, Attempt>,
    /// By e-mail address.
    pub(super) magic_auth: HashMap<String, OneTimeCode>,
    /// By pending token: the code that the step waits for.
    codes: HashMap<String, OneTimeCode>,
    /// By user: the last code that was sent, for the test to read.
    pub(super) sent: HashMap<String, String>,
    factors: HashMap<String, Factor>,
    challenges: HashMap<String, Challenge>,
    devices: HashMap<String, Device>,
}

/// A login that has begun, and what it has passed already.
#[derive(Clone)]
struct Attempt {
    user_id: String,
    email: String,
    organization_id: Option<String>,
    radar: bool,
    mfa: bool,
    /// The Radar challenge by e-mail that the login waits for.
    radar_email: Option<String>,
    /// The verification and telephone number of a Radar sign-up by SMS.
    sms: Option<(String, String)>,
}

pub(super) struct OneTimeCode {
    pub(super) code: String,
    expires: Timestamp,
    attempts: u32,
}

struct Factor {
    /// Nobody's, when the application checks the factor by itself.
    user_id: Option<String>,
    kind: Kind,
    enrolled: Timestamp,
    secret: Vec<u8>,
    /// A code is good once (RFC 6238 §5.2).
    last_used: Option<i64>,
}

enum Kind {
    Totp {
        issuer: String,
        account: String,
    },
    Sms {
        number: String,
    },
    /// The application brings the code to the user.
    GenericOtp,
}

struct Challenge {
    factor_id: String,
    /// The code that was sent, of a factor that is a telephone number.
    code: Option<String>,
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
    /// The factors of a user, the oldest first.
    pub(super) fn factors_of(&self, user_id: &str) -> Vec<Value> {
        let mut factors: Vec<_> =
            self.factors.iter().filter(|(_, factor)| factor.user_id.as_deref() == Some(user_id)).collect();
        factors.sort_by_key(|(id, factor)| (factor.enrolled, *id));
        factors.into_iter().map(|(id, factor)| factor.json(id)).collect()
    }

    pub(super) fn factor(&self, id: &str) -> Result<Value, Refusal> {
        self.factors.get(id).map(|factor| factor.json(id)).ok_or(Refusal::NotFound)
    }

    pub(super) fn delete_factor(&mut self, id: &str) -> Result<(), Refusal> {
        self.factors.remove(id).map(drop).ok_or(Refusal::NotFound)
    }

    /// Checks the code of a TOTP factor that was challenged.
    fn answer_totp(&mut self, challenge_id: &str, given: &str, now: Timestamp) -> Result<(), Refusal> {
        let challenge = self.challenges.get_mut(challenge_id).ok_or(Refusal::Code("invalid_one_time_code"))?;
        if challenge.attempts >= MAX_ATTEMPTS {
            return Err(Refusal::Code("one_time_code_too_many_attempts"));
        }
        if now >= challenge.expires {
            return Err(Refusal::Code("one_time_code_expired"));
        }
        let factor = self.factors.get_mut(&challenge.factor_id).ok_or(Refusal::Code("invalid_one_time_code"))?;
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
        Ok(())
    }

    /// A Radar challenge by e-mail that a login waits for.
    pub(super) fn radar_challenge(&self, id: &str) -> Result<Value, Refusal> {
        let waits = |(_, attempt): &(&String, &Attempt)| attempt.radar_email.as_deref() == Some(id);
        let (token, attempt) = self.attempts.iter().find(waits).ok_or(Refusal::NotFound)?;
        let code = self.codes.get(token).ok_or(Refusal::NotFound)?;
        let made = written(code.expires.checked_sub(CODE_LIFETIME).unwrap_or(code.expires));
        Ok(json!({
            "object": "radar_challenge", "id": id, "type": "email", "user_id": attempt.user_id, "email": attempt.email,
            "code": code.code, "expires_at": written(code.expires), "created_at": made, "updated_at": made,
        }))
    }
}

impl Factor {
    fn json(&self, id: &str) -> Value {
        let enrolled = written(self.enrolled);
        let mut factor =
            json!({"object": "authentication_factor", "id": id, "created_at": enrolled, "updated_at": enrolled});
        if let Some(user_id) = &self.user_id {
            factor["user_id"] = json!(user_id);
        }
        match &self.kind {
            Kind::Totp { issuer, account } => {
                factor["type"] = json!("totp");
                factor["totp"] = json!({"issuer": issuer, "user": account});
            }
            Kind::GenericOtp => factor["type"] = json!("generic_otp"),
            Kind::Sms { number } => {
                factor["type"] = json!("sms");
                factor["sms"] = json!({"phone_number": number});
            }
        }
        factor
    }
}

impl OneTimeCode {
    pub(super) fn new(now: Timestamp) -> io::Result<Self> {
        let mut bytes = [0; 4];
        SysRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
        let code = format!("{:06}", u32::from_le_bytes(bytes) % 1_000_000);
        Ok(Self { code, expires: after(now, CODE_LIFETIME), attempts: 0 })
    }

    pub(super) fn check(&mut self, given: &str, now: Timestamp) -> Result<(), Refusal> {
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
        let made = Self::make_magic_auth(&mut self.state(), email);
        let made = made.map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(made["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) fn last_code(&self, email: &str) -> Option<String> {
        let state = self.state();
        state.logins.sent.get(&state.user_by_email(email)?.id).cloned()
    }

    pub(super) fn totp_code(&self, email: &str) -> Option<String> {
        let state = self.state();
        let user_id = Some(&state.user_by_email(email)?.id);
        let factors = state.logins.factors.values().filter(|factor| factor.user_id.as_ref() == user_id);
        let factor = factors.max_by_key(|factor| factor.enrolled)?;
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
                self.check_password(state, required(request.email.as_ref())?, required(request.password.as_ref())?)?
            }
            "magic-auth:code" => Self::check_magic_auth(state, request)?,
            "mfa-totp" => Self::check_totp(state, request)?,
            "email-verification:code" => {
                let attempt = Self::check_code(state, request)?;
                state.user_mut(&attempt.user_id)?.email_verified = true;
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
            "organization-selection" => Self::check_organization(state, request)?,
            _ => return Err(Refusal::OAuth("unsupported_grant_type", "The grant is not supported.")),
        };
        if let Some(token) = &request.pending_authentication_token {
            // A pending token is good for one step; the next one has its own.
            state.logins.attempts.remove(token);
            state.logins.codes.remove(token);
        }
        self.proceed(state, attempt)
    }

    fn check_password(&self, state: &State, email: &str, password: &str) -> Result<Attempt, Refusal> {
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
        let user = state
            .user_by_email(email)
            .filter(|user| user.password.as_ref().is_some_and(|expected| same(password, expected)));
        user.map(Attempt::begin).ok_or(Refusal::Code("invalid_credentials"))
    }

    fn check_magic_auth(state: &mut State, request: &TokenRequest) -> Result<Attempt, Refusal> {
        let now = state.now();
        let user = state.user_by_email(required(request.email.as_ref())?).cloned();
        let user = user.ok_or(Refusal::Code("invalid_one_time_code"))?;
        let code = state.logins.magic_auth.get_mut(&user.email).ok_or(Refusal::Code("invalid_one_time_code"))?;
        code.check(required(request.code.as_ref())?, now)?;
        state.logins.magic_auth.remove(&user.email);
        // Whoever reads the e-mail has verified the address.
        state.user_mut(&user.id)?.email_verified = true;
        Ok(Attempt::begin(&user))
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
        let owner =
            state.logins.challenges.get(id).and_then(|challenge| state.logins.factors.get(&challenge.factor_id));
        if owner.is_some_and(|factor| factor.user_id.as_ref() != Some(&attempt.user_id)) {
            return Err(Refusal::Code("user_mismatch"));
        }
        state.logins.answer_totp(id, given, now)?;
        state.logins.challenges.remove(id);
        Ok(Attempt { mfa: true, ..attempt })
    }

    fn check_organization(state: &State, request: &TokenRequest) -> Result<Attempt, Refusal> {
        let attempt = Self::attempt(state, request)?;
        let id = required(request.organization_id.as_ref())?;
        if !state.user(&attempt.user_id)?.organizations.iter().any(|organization| organization == id) {
            return Err(Refusal::OAuth("organization_membership_not_found", "The user is no member."));
        }
        Ok(Attempt { organization_id: Some(id.to_owned()), ..attempt })
    }

    /// The next step that a login needs, or its tokens.
    fn proceed(&self, state: &mut State, mut attempt: Attempt) -> Result<Value, Refusal> {
        let user = state.user(&attempt.user_id)?;
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
        } else if !user.email_verified {
            json!({
                "code": "email_verification_required",
                "email": user.email,
                "email_verification_id": random("email_verification_")?,
            })
        } else if !attempt.mfa && Self::needs_factor(state, &user)? {
            let factors = state.logins.factors_of(&user.id);
            match factors.first().and_then(|factor| factor["id"].as_str()) {
                None => json!({"code": "mfa_enrollment", "user": summary}),
                Some(factor) if user.mfa == Mfa::Challenged => {
                    let challenge = Self::challenge_factor(state, factor)?;
                    json!({"code": "mfa_challenge", "user": summary, "authentication_challenge": challenge})
                }
                Some(_) => json!({"code": "mfa_challenge", "user": summary, "authentication_factors": factors}),
            }
        } else if user.organizations.len() > 1 && attempt.organization_id.is_none() {
            let organizations: Vec<Value> =
                user.organizations.iter().map(|id| json!({"id": id, "name": format!("Organization {id}")})).collect();
            json!({"code": "organization_selection_required", "user": summary, "organizations": organizations})
        } else {
            let organization_id = attempt.organization_id.or_else(|| user.organizations.first().cloned());
            let session = Session::begin(user.id.clone(), true, organization_id, now);
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

    /// A user who is said to have a factor has one from the first login on.
    fn needs_factor(state: &mut State, user: &TestUser) -> Result<bool, Refusal> {
        let enrolled = !state.logins.factors_of(&user.id).is_empty();
        if matches!(user.mfa, Mfa::Enrolled | Mfa::Challenged) && !enrolled {
            Self::new_totp(state, Some(&user.id), &json!({}), &user.email)?;
        }
        Ok(enrolled || user.mfa != Mfa::Off)
    }

    /// A TOTP factor, with what the authenticator app needs.
    fn new_totp(state: &mut State, user_id: Option<&str>, body: &Value, user: &str) -> Result<Value, Refusal> {
        let mut secret = vec![0; 20];
        SysRng.try_fill_bytes(&mut secret).map_err(io::Error::other)?;
        let (id, text) = (random("auth_factor_")?, base32(&secret));
        let issuer = body["totp_issuer"].as_str().unwrap_or("AuthKit");
        let account = body["totp_user"].as_str().unwrap_or(user);
        let kind = Kind::Totp { issuer: issuer.to_owned(), account: account.to_owned() };
        let factor =
            Factor { user_id: user_id.map(str::to_owned), kind, enrolled: state.now(), secret, last_used: None };
        let mut shown = factor.json(&id);
        shown["totp"] = json!({
            "issuer": issuer,
            "user": account,
            "secret": text,
            "qr_code": "data:image/png;base64,iVBORw0KGgo=",
            "uri": format!("otpauth://totp/{issuer}:{account}?secret={text}&issuer={issuer}"),
        });
        state.logins.factors.insert(id, factor);
        Ok(shown)
    }

    /// `POST /auth/factors/{id}/challenge`
    pub(super) fn challenge_factor(state: &mut State, factor_id: &str) -> Result<Value, Refusal> {
        let (id, now) = (random("auth_challenge_")?, state.now());
        let factor = state.logins.factors.get(factor_id).ok_or(Refusal::NotFound)?;
        let code = match factor.kind {
            Kind::Sms { .. } | Kind::GenericOtp => Some(OneTimeCode::new(now)?.code),
            Kind::Totp { .. } => None,
        };
        let expires = after(now, CODE_LIFETIME);
        let challenge = Challenge { factor_id: factor_id.to_owned(), code: code.clone(), expires, attempts: 0 };
        state.logins.challenges.insert(id.clone(), challenge);
        let mut shown = json!({
            "object": "authentication_challenge",
            "id": id,
            "authentication_factor_id": factor_id,
            "expires_at": written(expires),
            "created_at": written(now),
            "updated_at": written(now),
        });
        if let Some(code) = code {
            shown["code"] = json!(code);
        }
        Ok(shown)
    }

    /// `POST /auth/challenges/{id}/verify`: a wrong code is an answer, not a refusal.
    pub(super) fn verify_challenge(state: &mut State, id: &str, given: &str) -> Result<Value, Refusal> {
        let now = state.now();
        let challenge = state.logins.challenges.get(id).ok_or(Refusal::NotFound)?;
        let shown = json!({
            "object": "authentication_challenge",
            "id": id,
            "authentication_factor_id": challenge.factor_id,
            "created_at": written(now),
            "updated_at": written(now),
        });
        let valid = match &challenge.code {
            Some(code) if now < challenge.expires => same(given, code),
            Some(_) => return Err(Refusal::Code("authentication_challenge_expired")),
            None => match state.logins.answer_totp(id, given, now) {
                Ok(()) => true,
                Err(Refusal::Code("invalid_one_time_code")) => false,
                Err(refusal) => return Err(refusal),
            },
        };
        if valid {
            state.logins.challenges.remove(id);
        }
        Ok(json!({"challenge": shown, "valid": valid}))
    }

    /// `POST /user_management/users/{id}/auth_factors`
    pub(super) fn enroll_factor(state: &mut State, user_id: &str, body: &Value) -> Result<Value, Refusal> {
        let user = state.user(user_id)?;
        if body["type"] != "totp" {
            return Err(Refusal::OAuth("invalid_request", "The factor is not a TOTP factor."));
        }
        let factor = Self::new_totp(state, Some(&user.id), body, &user.email)?;
        let challenge = Self::challenge_factor(state, factor["id"].as_str().unwrap_or_default())?;
        Ok(json!({"authentication_factor": factor, "authentication_challenge": challenge}))
    }

    /// `POST /auth/factors/enroll`
    pub(super) fn enroll_own_factor(state: &mut State, body: &Value) -> Result<Value, Refusal> {
        let user_id = body["user_id"].as_str();
        let kind = match (body["type"].as_str(), body["phone_number"].as_str()) {
            (Some("totp"), _) => return Self::new_totp(state, user_id, body, "user"),
            (Some("sms"), Some(number)) => Kind::Sms { number: number.to_owned() },
            (Some("generic_otp"), _) => Kind::GenericOtp,
            _ => return Err(Refusal::OAuth("invalid_request", "The factor is of no known kind, or lacks its number.")),
        };
        let (id, user_id) = (random("auth_factor_")?, user_id.map(str::to_owned));
        let factor = Factor { user_id, kind, enrolled: state.now(), secret: Vec::new(), last_used: None };
        let shown = factor.json(&id);
        state.logins.factors.insert(id, factor);
        Ok(shown)
    }

    /// `POST /user_management/radar_challenges`
    pub(super) fn send_radar_sms(state: &mut State, body: &Value) -> Result<Value, Refusal> {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let now = state.now();
        let number = text("phone_number").ok_or(Refusal::Code("phone_number_required"))?;
        let token = text("pending_authentication_token").unwrap_or_default();
        let verification_id = random("verification_")?;
        let attempt = state.logins.attempts.get_mut(&token);
        let attempt = attempt.filter(|attempt| Some(&attempt.user_id) == text("user_id").as_ref());
        let attempt = attempt.ok_or(Refusal::Code("invalid_pending_authentication_token"))?;
        attempt.sms = Some((verification_id.clone(), number.clone()));
        let user_id = attempt.user_id.clone();
        Self::send_code(state, &token, &user_id, now)?;
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
        let mut state = self.state();
        let user_id = state.user_by_email(email).map(|user| user.id.clone());
        if !deny && user_id.is_none() {
            return false;
        }
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
        let organization_id = state.user(&user_id)?.organizations.first().cloned();
        state.logins.devices.remove(given);
        let session = Session::begin(user_id, false, organization_id, now);
        self.begin_session(&mut state, random("session_")?, session)
    }
}

impl Attempt {
    fn begin(user: &TestUser) -> Self {
        Self {
            user_id: user.id.clone(),
            email: user.email.clone(),
            organization_id: None,
            radar: false,
            mfa: false,
            radar_email: None,
            sms: None,
        }
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
