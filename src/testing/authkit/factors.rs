//! Authentication factors and their challenges.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::one_time_code::{CODE_LIFETIME, MAX_WRONG_CODES, OneTimeCode, base32, totp, totp_period};
use super::refusal::Refusal;
use super::values::{after, api_time, random, random_bytes, same};

/// The enrolled factors, and the challenges that wait for a code.
#[derive(Default)]
pub(super) struct Factors {
    factors: HashMap<String, Factor>,
    challenges: HashMap<String, Challenge>,
}

struct Factor {
    /// `None` when the application enrolled the factor without a WorkOS user.
    user_id: Option<String>,
    kind: FactorKind,
    enrolled: Timestamp,
}

enum FactorKind {
    Totp(Totp),
    Sms {
        number: String,
    },
    /// The application sends the code to the user.
    GenericOtp,
}

struct Totp {
    issuer: String,
    account: String,
    secret: [u8; 20],
    /// The period of the last accepted code. A code is accepted once (RFC 6238 §5.2).
    last_period: Option<i64>,
}

struct Challenge {
    factor_id: String,
    /// The code that was sent. A TOTP factor has none.
    code: Option<String>,
    expires: Timestamp,
    wrong_codes: u32,
}

impl Factors {
    /// The factors of a user, the oldest first.
    pub(super) fn of_user(&self, user_id: &str) -> Vec<Value> {
        let mut factors: Vec<_> =
            self.factors.iter().filter(|(_, factor)| factor.user_id.as_deref() == Some(user_id)).collect();
        factors.sort_by_key(|(id, factor)| (factor.enrolled, *id));
        factors.into_iter().map(|(id, factor)| factor.json(id)).collect()
    }

    pub(super) fn get(&self, id: &str) -> Result<Value, Refusal> {
        self.factors.get(id).map(|factor| factor.json(id)).ok_or(Refusal::NotFound)
    }

    pub(super) fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        self.factors.remove(id).map(drop).ok_or(Refusal::NotFound)
    }

    /// `POST /auth/factors/enroll`
    pub(super) fn enroll(&mut self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let user_id = body["user_id"].as_str();
        let kind = match (body["type"].as_str(), body["phone_number"].as_str()) {
            (Some("totp"), _) => return self.enroll_totp(user_id, body, "user", now),
            (Some("sms"), Some(number)) => FactorKind::Sms { number: number.to_owned() },
            (Some("generic_otp"), _) => FactorKind::GenericOtp,
            _ => return Err(Refusal::OAuth("invalid_request", "The factor is of no known kind, or lacks its number.")),
        };
        let (id, user_id) = (random("auth_factor_")?, user_id.map(str::to_owned));
        let factor = Factor { user_id, kind, enrolled: now };
        let shown = factor.json(&id);
        self.factors.insert(id, factor);
        Ok(shown)
    }

    /// Enrolls a TOTP factor. The reply has the secret for the authenticator app.
    pub(super) fn enroll_totp(
        &mut self,
        user_id: Option<&str>,
        body: &Value,
        default_account: &str,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let (id, secret) = (random("auth_factor_")?, random_bytes()?);
        let text = base32(&secret);
        let issuer = body["totp_issuer"].as_str().unwrap_or("AuthKit");
        let account = body["totp_user"].as_str().unwrap_or(default_account);
        let totp = Totp { issuer: issuer.to_owned(), account: account.to_owned(), secret, last_period: None };
        let factor = Factor { user_id: user_id.map(str::to_owned), kind: FactorKind::Totp(totp), enrolled: now };
        let mut shown = factor.json(&id);
        shown["totp"] = json!({
            "issuer": issuer,
            "user": account,
            "secret": text,
            "qr_code": "data:image/png;base64,iVBORw0KGgo=",
            "uri": format!("otpauth://totp/{issuer}:{account}?secret={text}&issuer={issuer}"),
        });
        self.factors.insert(id, factor);
        Ok(shown)
    }

    /// `POST /auth/factors/{id}/challenge`
    pub(super) fn challenge(&mut self, factor_id: &str, now: Timestamp) -> Result<Value, Refusal> {
        let id = random("auth_challenge_")?;
        let factor = self.factors.get(factor_id).ok_or(Refusal::NotFound)?;
        let code = match factor.kind {
            FactorKind::Sms { .. } | FactorKind::GenericOtp => Some(OneTimeCode::new(now)?.code().to_owned()),
            FactorKind::Totp(_) => None,
        };
        let expires = after(now, CODE_LIFETIME);
        let challenge = Challenge { factor_id: factor_id.to_owned(), code: code.clone(), expires, wrong_codes: 0 };
        let mut shown = challenge.json(&id, now);
        shown["expires_at"] = json!(api_time(expires));
        if let Some(code) = code {
            shown["code"] = json!(code);
        }
        self.challenges.insert(id, challenge);
        Ok(shown)
    }

    /// `POST /auth/challenges/{id}/verify`: a wrong code is a reply with `"valid": false`, not a refusal.
    pub(super) fn verify(&mut self, challenge_id: &str, given: &str, now: Timestamp) -> Result<Value, Refusal> {
        let challenge = self.challenges.get(challenge_id).ok_or(Refusal::NotFound)?;
        let shown = challenge.json(challenge_id, now);
        let valid = match &challenge.code {
            Some(code) if now < challenge.expires => same(given, code),
            Some(_) => return Err(Refusal::Code("authentication_challenge_expired")),
            None => match self.check_totp(challenge_id, given, now) {
                Ok(()) => true,
                Err(Refusal::Code("invalid_one_time_code")) => false,
                Err(refusal) => return Err(refusal),
            },
        };
        if valid {
            self.challenges.remove(challenge_id);
        }
        Ok(json!({"challenge": shown, "valid": valid}))
    }

    /// Checks the code that a user gives in a login, and uses up the challenge.
    pub(super) fn check_login(
        &mut self,
        user_id: &str,
        challenge_id: &str,
        given: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let challenge = self.challenges.get(challenge_id);
        let factor = challenge.and_then(|challenge| self.factors.get(&challenge.factor_id));
        if factor.is_some_and(|factor| factor.user_id.as_deref() != Some(user_id)) {
            return Err(Refusal::Code("user_mismatch"));
        }
        self.check_totp(challenge_id, given, now)?;
        self.challenges.remove(challenge_id);
        Ok(())
    }

    fn check_totp(&mut self, challenge_id: &str, given: &str, now: Timestamp) -> Result<(), Refusal> {
        const INVALID: Refusal = Refusal::Code("invalid_one_time_code");
        let challenge = self.challenges.get_mut(challenge_id).ok_or(INVALID)?;
        if challenge.wrong_codes >= MAX_WRONG_CODES {
            return Err(Refusal::Code("one_time_code_too_many_attempts"));
        }
        if now >= challenge.expires {
            return Err(Refusal::Code("one_time_code_expired"));
        }
        let factor = self.factors.get_mut(&challenge.factor_id).ok_or(INVALID)?;
        let accepted = factor.totp_mut().and_then(|factor| Some((factor.period_of(given, now)?, factor)));
        let Some((period, factor)) = accepted else {
            challenge.wrong_codes += 1;
            return Err(INVALID);
        };
        if factor.last_period.is_some_and(|last| period <= last) {
            return Err(Refusal::Code("one_time_code_previously_used"));
        }
        factor.last_period = Some(period);
        Ok(())
    }

    /// The user's TOTP factor that was enrolled last.
    fn totp_of(&self, user_id: &str) -> Option<(&String, &Totp)> {
        let factors = self.factors.iter().filter(|(_, factor)| factor.user_id.as_deref() == Some(user_id));
        let factors = factors.filter_map(|(id, factor)| Some((factor.enrolled, id, factor.totp()?)));
        factors.max_by_key(|(enrolled, id, _)| (*enrolled, *id)).map(|(_, id, totp)| (id, totp))
    }

    /// The key of that factor for an authenticator app, until the first code was accepted.
    pub(super) fn unused_key(&self, user_id: &str) -> Option<String> {
        let (_, factor) = self.totp_of(user_id)?;
        factor.last_period.is_none().then(|| base32(&factor.secret))
    }

    /// Checks the code that a user gives on the AuthKit's page.
    pub(super) fn check_on_page(&mut self, user_id: &str, given: &str, now: Timestamp) -> Result<(), Refusal> {
        let (factor_id, _) = self.totp_of(user_id).ok_or(Refusal::Code("invalid_one_time_code"))?;
        let challenge = self.challenge(&factor_id.clone(), now)?;
        let challenge_id = challenge["id"].as_str().unwrap_or_default();
        let result = self.check_login(user_id, challenge_id, given, now);
        self.challenges.remove(challenge_id);
        result
    }

    /// The code that the user's authenticator app shows for the TOTP factor that was enrolled last.
    pub(super) fn authenticator_code(&self, user_id: &str, now: Timestamp) -> Option<String> {
        let (_, factor) = self.totp_of(user_id)?;
        // After a code was accepted, tests get the next one instead of waiting for it.
        let period = totp_period(now);
        let period = factor.last_period.map_or(period, |last| period.max(last + 1));
        Some(totp(&factor.secret, period))
    }
}

impl Factor {
    fn totp(&self) -> Option<&Totp> {
        if let FactorKind::Totp(totp) = &self.kind { Some(totp) } else { None }
    }

    fn totp_mut(&mut self) -> Option<&mut Totp> {
        if let FactorKind::Totp(totp) = &mut self.kind { Some(totp) } else { None }
    }

    fn json(&self, id: &str) -> Value {
        let enrolled = api_time(self.enrolled);
        let mut factor =
            json!({"object": "authentication_factor", "id": id, "created_at": enrolled, "updated_at": enrolled});
        if let Some(user_id) = &self.user_id {
            factor["user_id"] = json!(user_id);
        }
        match &self.kind {
            FactorKind::Totp(totp) => {
                factor["type"] = json!("totp");
                factor["totp"] = json!({"issuer": totp.issuer, "user": totp.account});
            }
            FactorKind::GenericOtp => factor["type"] = json!("generic_otp"),
            FactorKind::Sms { number } => {
                factor["type"] = json!("sms");
                factor["sms"] = json!({"phone_number": number});
            }
        }
        factor
    }
}

impl Totp {
    /// The period that a code belongs to: the current one, or one next to it for clocks that differ (RFC 6238 §5.2).
    fn period_of(&self, given: &str, now: Timestamp) -> Option<i64> {
        let current = totp_period(now);
        (current - 1..=current + 1).find(|period| same(given, &totp(&self.secret, *period)))
    }
}

impl Challenge {
    fn json(&self, id: &str, now: Timestamp) -> Value {
        json!({
            "object": "authentication_challenge",
            "id": id,
            "authentication_factor_id": self.factor_id,
            "created_at": api_time(now),
            "updated_at": api_time(now),
        })
    }
}
