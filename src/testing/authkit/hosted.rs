//! The sign-in on the AuthKit's own pages. It asks here for all that is missing, so that the application gets a code only for a
//! user who has passed every step.

use std::io;

use http::StatusCode;
use serde_json::json;

use super::pages::{self, Ask, Page, Problem};
use super::redirect::callback_url;
use super::refusal::Refusal;
use super::state::{Authorization, DeviceDecision, Purpose, State, Transaction};
use super::user::TestUser;
use super::values::random;

/// What the browser gets during a login.
pub(super) enum BrowserReply {
    Page(Page),
    Redirect(String),
    /// An error page, because a redirect would make this an open redirector (RFC 9700 §4.11).
    ErrorPage(&'static str),
}

/// What a form of the sign-in brings.
pub(super) struct SignInForm {
    pub(super) transaction_id: String,
    pub(super) email: Option<String>,
    pub(super) code: Option<String>,
    pub(super) is_cancelled: bool,
}

impl State {
    pub(super) fn begin_sign_in(
        &mut self,
        purpose: Purpose,
        organization_id: Option<String>,
        login_hint: Option<String>,
    ) -> io::Result<BrowserReply> {
        let id = random("txn_")?;
        let sign_in = Transaction { purpose, organization_id, user_id: None, mfa_passed: false };
        let page = self.user_page(&id, &sign_in, &login_hint.unwrap_or_default(), None);
        self.transactions.insert(id, sign_in);
        Ok(BrowserReply::Page(page))
    }

    /// `POST /sign-in`: a form of the sign-in. It is finished once, but what was wrong may be corrected.
    pub(super) fn sign_in(&mut self, form: &SignInForm) -> io::Result<BrowserReply> {
        let Some(mut sign_in) = self.transactions.remove(&form.transaction_id) else {
            return Ok(BrowserReply::ErrorPage("This sign-in was finished already."));
        };
        if form.is_cancelled {
            return Ok(self.finish_sign_in(sign_in.purpose, ("error", "access_denied"), DeviceDecision::Denied));
        }
        if let Some(page) = self.next_page(&mut sign_in, form)? {
            self.transactions.insert(form.transaction_id.clone(), sign_in);
            return Ok(BrowserReply::Page(page));
        }
        let user = sign_in.user_id.as_deref().and_then(|id| self.user(id).ok());
        let Some(user) = user else { return Ok(BrowserReply::ErrorPage("The user was deleted.")) };
        let Purpose::Redirect { code_challenge, sso, .. } = &sign_in.purpose else {
            let approved = DeviceDecision::Approved { user_id: user.id };
            return Ok(self.finish_sign_in(sign_in.purpose, ("", ""), approved));
        };
        let authorization = Authorization {
            organization_id: sign_in.organization_id.or_else(|| user.first_organization()),
            user_id: user.id,
            sso: *sso,
            code_challenge: code_challenge.clone(),
            impersonator: None,
        };
        let code = self.issue_code(authorization)?;
        Ok(self.finish_sign_in(sign_in.purpose, ("code", &code), DeviceDecision::Denied))
    }

    /// Ends a sign-in: with this parameter of the callback URL, or with this decision about the device.
    fn finish_sign_in(&mut self, purpose: Purpose, result: (&str, &str), decision: DeviceDecision) -> BrowserReply {
        match purpose {
            Purpose::Redirect { redirect_uri, state, .. } => {
                let location = callback_url(&redirect_uri, result, state.as_deref());
                let no_url = BrowserReply::ErrorPage("The redirect URI isn't a URL.");
                location.map_or(no_url, BrowserReply::Redirect)
            }
            Purpose::Device { user_code } => self.decide(&user_code, decision),
        }
    }

    /// `POST /device`: the form of the page where a device login is approved or denied.
    pub(super) fn decide_device(&mut self, user_code: &str, deny: bool) -> io::Result<BrowserReply> {
        let user_code = user_code.trim().to_uppercase();
        if deny || !self.waits_for(&user_code) {
            return Ok(self.decide(&user_code, DeviceDecision::Denied));
        }
        self.begin_sign_in(Purpose::Device { user_code }, None, None)
    }

    fn waits_for(&self, user_code: &str) -> bool {
        let now = self.now();
        self.devices.values().any(|device| device.user_code == user_code && device.is_waiting(now))
    }

    fn decide(&mut self, user_code: &str, decision: DeviceDecision) -> BrowserReply {
        let now = self.now();
        let mut devices = self.devices.values_mut();
        let device = devices.find(|device| device.user_code == user_code && device.is_waiting(now));
        let Some(device) = device else {
            return BrowserReply::Page(pages::device(user_code, Some(Problem::UnknownDevice)));
        };
        let (title, text) = match decision {
            DeviceDecision::Approved { .. } => ("The device is signed in", "You may go back to your device."),
            _ => ("The device was denied", "It isn't signed in. You may close this page."),
        };
        device.decision = decision;
        BrowserReply::Page(pages::message(StatusCode::OK, title, text))
    }

    /// The page that the sign-in goes on with, unless nothing is missing.
    fn next_page(&mut self, sign_in: &mut Transaction, form: &SignInForm) -> io::Result<Option<Page>> {
        let id = &form.transaction_id;
        if let Some(email) = form.email.as_deref().map(str::trim) {
            match self.pick_user(email, sign_in.organization_id.as_deref()) {
                Ok(user_id) => (sign_in.user_id, sign_in.mfa_passed) = (Some(user_id), false),
                Err(problem) => return Ok(Some(self.user_page(id, sign_in, email, Some(problem)))),
            }
        }
        let Some(user_id) = sign_in.user_id.clone() else { return Ok(Some(self.user_page(id, sign_in, "", None))) };
        let code = form.code.as_deref().map(str::trim);
        let problem = code.and_then(|code| self.check_page_code(sign_in, &user_id, code).err());
        self.code_page(id, sign_in, &user_id, problem.map(|_| Problem::WrongCode)).or_else(|refusal| match refusal {
            Refusal::NotFound => Ok(Some(self.user_page(id, sign_in, "", None))),
            _ => Err(io::Error::other("no code could be made")),
        })
    }

    fn pick_user(&self, email: &str, organization_id: Option<&str>) -> Result<String, Problem> {
        let user = self.user_by_email(email).ok_or(Problem::UnknownUser)?;
        match organization_id {
            Some(id) if user.membership(id).is_none() => Err(Problem::NotMember),
            _ => Ok(user.id.clone()),
        }
    }

    /// The page that asks for the user's address, with the users to pick from.
    fn user_page(&self, id: &str, sign_in: &Transaction, email: &str, problem: Option<Problem>) -> Page {
        let organization_id = sign_in.organization_id.as_deref();
        let may_sign_in = |user: &&TestUser| organization_id.is_none_or(|id| user.membership(id).is_some());
        pages::sign_in(id, email, self.users.iter().filter(may_sign_in), problem)
    }

    /// Checks the code that the page asked for.
    fn check_page_code(&mut self, sign_in: &mut Transaction, user_id: &str, code: &str) -> Result<(), Refusal> {
        let now = self.now();
        if self.user(user_id)?.email_verified {
            self.factors.check_on_page(user_id, code, now)?;
            sign_in.mfa_passed = true;
        } else {
            let sent = self.verification_codes.get_mut(user_id).ok_or(Refusal::NotFound)?;
            sent.check(code, now)?;
            self.verification_codes.remove(user_id);
            self.user_mut(user_id)?.email_verified = true;
        }
        Ok(())
    }

    /// The page that asks for a code, if one is missing.
    fn code_page(
        &mut self,
        id: &str,
        sign_in: &Transaction,
        user_id: &str,
        problem: Option<Problem>,
    ) -> Result<Option<Page>, Refusal> {
        let (user, now) = (self.user(user_id)?, self.now());
        if matches!(sign_in.purpose, Purpose::Redirect { sso: true, .. }) {
            // The identity provider of the connection asks for it.
            return Ok(None);
        }
        if !user.email_verified {
            let code = self.verification_codes.get(user_id).filter(|code| now < code.expires());
            let code = if let Some(code) = code {
                code.code().to_owned()
            } else {
                let sent = self.send_code(user_id)?;
                let code = sent.code().to_owned();
                self.verification_codes.insert(user_id.to_owned(), sent);
                code
            };
            return Ok(Some(pages::code(id, &user, Ask::Email, &code, problem)));
        }
        if sign_in.mfa_passed || !self.demands_factor(&user) {
            return Ok(None);
        }
        if self.factors.authenticator_code(user_id, now).is_none() {
            self.factors.enroll_totp(Some(user_id), &json!({}), &user.email, now)?;
        }
        let ask = match self.factors.unused_key(user_id).filter(|_| user.must_enroll()) {
            Some(key) => Ask::FirstTotp { key },
            None => Ask::Totp,
        };
        let code = self.factors.authenticator_code(user_id, now).unwrap_or_default();
        Ok(Some(pages::code(id, &user, ask, &code, problem)))
    }
}
