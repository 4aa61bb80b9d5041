//! Logins that take several steps: password and Magic Auth, then what is still missing.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::state::{PendingLogin, RadarSms, Session, State};
use super::token_request::{TokenRequest, required};
use super::user::{Mfa, RadarDemand, TestUser};
use super::values::{api_time, random, same};

const UNKNOWN_PENDING_TOKEN: Refusal = Refusal::Code("invalid_pending_authentication_token");
const WRONG_CODE: Refusal = Refusal::Code("invalid_one_time_code");
/// The steps that begin with a code which is sent to the user.
const STEPS_WITH_CODE: [&str; 3] = ["radar_challenge", "radar_sms_sign_in_challenge", "email_verification_required"];

impl PendingLogin {
    fn new(user: &TestUser) -> Self {
        Self {
            user_id: user.id.clone(),
            email: user.email.clone(),
            organization_id: None,
            radar_passed: false,
            mfa_passed: false,
            radar_challenge_id: None,
            radar_sms: None,
            code: None,
        }
    }

    /// Whether a request is for the Radar challenge that this login waits for.
    fn awaits_radar(&self, grant: &str, request: &TokenRequest) -> bool {
        match (&self.radar_challenge_id, &self.radar_sms) {
            (Some(id), _) => grant == "radar-email-challenge:code" && request.radar_challenge_id.as_ref() == Some(id),
            (None, Some(sms)) => {
                grant == "radar-sms-challenge:code"
                    && request.verification_id.as_ref() == Some(&sms.verification_id)
                    && request.phone_number.as_ref() == Some(&sms.phone_number)
            }
            (None, None) => grant == "radar-sms-challenge:code" && request.verification_id.is_none(),
        }
    }
}

impl State {
    /// The grants of confidential clients that begin or continue a login.
    pub(super) fn sign_in_with_grant(&mut self, grant: &str, request: &TokenRequest) -> Result<Value, Refusal> {
        let grant = grant.trim_start_matches("urn:workos:oauth:grant-type:");
        let login = match grant {
            "password" => {
                self.check_password(required(request.email.as_ref())?, required(request.password.as_ref())?)?
            }
            "magic-auth:code" => self.check_magic_auth(request)?,
            "mfa-totp" => self.check_mfa(request)?,
            "email-verification:code" => {
                let login = self.check_code(request)?;
                self.user_mut(&login.user_id)?.email_verified = true;
                login
            }
            "radar-email-challenge:code" | "radar-sms-challenge:code" => {
                let login = self.check_code(request)?;
                if !login.awaits_radar(grant, request) {
                    return Err(Refusal::Code("verification_id_required"));
                }
                PendingLogin { radar_passed: true, radar_challenge_id: None, radar_sms: None, ..login }
            }
            "organization-selection" => self.check_organization(request)?,
            _ => return Err(Refusal::OAuth("unsupported_grant_type", "The grant is not supported.")),
        };
        if let Some(token) = &request.pending_authentication_token {
            // A pending token is valid for one step; the next step has its own.
            self.pending_logins.remove(token);
        }
        self.continue_login(login)
    }

    fn check_password(&self, email: &str, password: &str) -> Result<PendingLogin, Refusal> {
        let given_domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
        let mut domains = self.config.sso_domains.iter();
        if let Some((_, connection)) = domains.find(|(domain, _)| given_domain.eq_ignore_ascii_case(domain)) {
            return Err(Refusal::Step(json!({
                "code": "sso_required",
                "message": "The user must sign in over SSO.",
                "email": email,
                "connection_ids": [connection],
            })));
        }
        let user = self
            .user_by_email(email)
            .filter(|user| user.password.as_ref().is_some_and(|expected| same(password, expected)));
        user.map(PendingLogin::new).ok_or(Refusal::Code("invalid_credentials"))
    }

    fn check_magic_auth(&mut self, request: &TokenRequest) -> Result<PendingLogin, Refusal> {
        let now = self.now();
        let user = self.user_by_email(required(request.email.as_ref())?).cloned().ok_or(WRONG_CODE)?;
        let code = self.magic_auth_codes.get_mut(&user.email).ok_or(WRONG_CODE)?;
        code.check(required(request.code.as_ref())?, now)?;
        self.magic_auth_codes.remove(&user.email);
        // A user who can read the e-mail owns the address.
        self.user_mut(&user.id)?.email_verified = true;
        Ok(PendingLogin::new(&user))
    }

    fn pending_login(&mut self, request: &TokenRequest) -> Result<&mut PendingLogin, Refusal> {
        let token = required(request.pending_authentication_token.as_ref())?;
        self.pending_logins.get_mut(token).ok_or(UNKNOWN_PENDING_TOKEN)
    }

    fn check_code(&mut self, request: &TokenRequest) -> Result<PendingLogin, Refusal> {
        let now = self.now();
        let login = self.pending_login(request)?;
        let code = login.code.as_mut().ok_or(WRONG_CODE)?;
        code.check(required(request.code.as_ref())?, now)?;
        Ok(login.clone())
    }

    fn check_mfa(&mut self, request: &TokenRequest) -> Result<PendingLogin, Refusal> {
        let login = self.pending_login(request)?.clone();
        let code = required(request.code.as_ref())?;
        let challenge_id = required(request.authentication_challenge_id.as_ref())?;
        let now = self.now();
        self.factors.check_login(&login.user_id, challenge_id, code, now)?;
        Ok(PendingLogin { mfa_passed: true, ..login })
    }

    fn check_organization(&mut self, request: &TokenRequest) -> Result<PendingLogin, Refusal> {
        let login = self.pending_login(request)?.clone();
        let id = required(request.organization_id.as_ref())?;
        self.user(&login.user_id)?.check_member_of(id)?;
        Ok(PendingLogin { organization_id: Some(id.to_owned()), ..login })
    }

    /// Starts the next step of a login, or the session when nothing is missing.
    fn continue_login(&mut self, mut login: PendingLogin) -> Result<Value, Refusal> {
        let user = self.user(&login.user_id)?;
        let Some(mut step) = self.missing_step(&user, &mut login)? else {
            let organization_id = login.organization_id.or_else(|| user.first_organization());
            let session = Session::new(user.id, true, organization_id, self.now());
            return self.start_session(random("session_")?, session);
        };
        let token = random("pending_")?;
        let sends_code = STEPS_WITH_CODE.iter().any(|code| step["code"] == *code);
        login.code = if sends_code { Some(self.send_code(&user.id)?) } else { None };
        self.pending_logins.insert(token.clone(), login);
        step["message"] = json!("The login needs a further step.");
        step["pending_authentication_token"] = json!(token);
        Err(Refusal::Step(step))
    }

    /// The step that a login still needs, if any.
    fn missing_step(&mut self, user: &TestUser, login: &mut PendingLogin) -> Result<Option<Value>, Refusal> {
        let summary = json!({"object": "user", "id": user.id, "email": user.email});
        if let Some(demand) = user.radar.filter(|_| !login.radar_passed) {
            return Ok(Some(match demand {
                RadarDemand::Email => {
                    let id = random("radar_challenge_")?;
                    login.radar_challenge_id = Some(id.clone());
                    json!({"code": "radar_challenge", "radar_challenge_id": id})
                }
                RadarDemand::SmsSignUp => json!({"code": "radar_sign_up_challenge", "user": summary}),
                RadarDemand::SmsSignIn => json!({"code": "radar_sms_sign_in_challenge", "user": summary}),
            }));
        }
        if !user.email_verified {
            let id = random("email_verification_")?;
            let code = "email_verification_required";
            return Ok(Some(json!({"code": code, "email": user.email, "email_verification_id": id})));
        }
        if !login.mfa_passed && self.demands_factor(user) {
            return self.mfa_step(user, &summary).map(Some);
        }
        if user.organizations.len() > 1 && login.organization_id.is_none() {
            let organizations = user.organizations.iter().map(|membership| &membership.organization_id);
            let organizations: Vec<Value> =
                organizations.map(|id| json!({"id": id, "name": format!("Organization {id}")})).collect();
            let code = "organization_selection_required";
            return Ok(Some(json!({"code": code, "user": summary, "organizations": organizations})));
        }
        Ok(None)
    }

    /// Whether a login demands a second factor.
    pub(super) fn demands_factor(&self, user: &TestUser) -> bool {
        user.mfa != Mfa::Off || !self.factors.of_user(&user.id).is_empty()
    }

    /// Enrolls the factors that the test has configured for its users.
    pub(super) fn enroll_configured_factors(&mut self) -> Result<(), Refusal> {
        let now = self.now();
        for user in self.users.iter().filter(|user| matches!(user.mfa, Mfa::Enrolled | Mfa::Challenged)) {
            self.factors.enroll_totp(Some(&user.id), &json!({}), &user.email, now)?;
        }
        Ok(())
    }

    fn mfa_step(&mut self, user: &TestUser, summary: &Value) -> Result<Value, Refusal> {
        let factors = self.factors.of_user(&user.id);
        Ok(match factors.first().and_then(|factor| factor["id"].as_str()) {
            None => json!({"code": "mfa_enrollment", "user": summary}),
            Some(factor_id) if user.mfa == Mfa::Challenged => {
                let challenge = self.factors.challenge(factor_id, self.now())?;
                json!({"code": "mfa_challenge", "user": summary, "authentication_challenge": challenge})
            }
            Some(_) => json!({"code": "mfa_challenge", "user": summary, "authentication_factors": factors}),
        })
    }

    /// `POST /user_management/radar_challenges`
    pub(super) fn send_radar_sms(&mut self, body: &Value) -> Result<Value, Refusal> {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let phone_number = text("phone_number").ok_or(Refusal::Code("phone_number_required"))?;
        let token = text("pending_authentication_token").unwrap_or_default();
        let verification_id = random("verification_")?;
        let user_id = self.pending_logins.get(&token).map(|login| login.user_id.clone());
        let user_id = user_id.filter(|id| Some(id) == text("user_id").as_ref()).ok_or(UNKNOWN_PENDING_TOKEN)?;
        let code = self.send_code(&user_id)?;
        let reply = json!({"verification_id": verification_id, "phone_number": phone_number});
        if let Some(login) = self.pending_logins.get_mut(&token) {
            login.radar_sms = Some(RadarSms { verification_id, phone_number });
            login.code = Some(code);
        }
        Ok(reply)
    }

    /// `GET /user_management/radar_challenges/{id}`
    pub(super) fn radar_challenge(&self, id: &str) -> Result<Value, Refusal> {
        let login = self.pending_logins.values().find(|login| login.radar_challenge_id.as_deref() == Some(id));
        let login = login.ok_or(Refusal::NotFound)?;
        let code = login.code.as_ref().ok_or(Refusal::NotFound)?;
        let sent = api_time(code.sent());
        Ok(json!({
            "object": "radar_challenge", "id": id, "type": "email", "user_id": login.user_id, "email": login.email,
            "code": code.code(), "expires_at": api_time(code.expires()), "created_at": sent, "updated_at": sent,
        }))
    }
}
