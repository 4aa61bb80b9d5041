//! The OAuth endpoints: authorization with the sign-in page, the code exchange with PKCE, and the choice of the grant.

use std::collections::HashMap;
use std::io;

use base64::Engine;
use serde_json::{Value, json};

use super::hosted::BrowserReply;
use super::keys::SigningKey;
use super::redirect::callback_url;
use super::refusal::Refusal;
use super::state::{Authorization, Code, Impersonator, Purpose, Session, State};
use super::token_request::TokenRequest;
use super::values::{after, random, same};
use crate::base64url::BASE64URL;
use crate::wire;

impl State {
    /// `GET /sso/jwks/{client_id}`
    pub(super) fn jwks(&self, client_id: &str) -> Option<Value> {
        self.knows_client(Some(client_id)).then(|| self.published_keys())
    }

    /// `GET /oauth2/jwks`: the same keys, for the tokens of Connect.
    pub(super) fn published_keys(&self) -> Value {
        json!({"keys": self.keys.iter().map(SigningKey::jwk).collect::<Vec<_>>()})
    }

    /// `GET /user_management/authorize` and `GET /sso/authorize` (RFC 6749 §4.1.1).
    pub(super) fn authorize(&mut self, query: &str, sso: bool) -> io::Result<BrowserReply> {
        let mut parameters = HashMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                return Ok(BrowserReply::ErrorPage("A parameter is given twice."));
            }
        }
        let mut take = |name: &str| parameters.remove(name);
        if !self.knows_client(take("client_id").as_deref()) {
            return Ok(BrowserReply::ErrorPage("The client ID is unknown."));
        }
        let Some(redirect_uri) = take("redirect_uri").filter(|uri| self.config.allows(uri)) else {
            return Ok(BrowserReply::ErrorPage("The redirect URI is not allowed."));
        };
        let targets = if sso {
            ["provider", "connection", "organization"]
        } else {
            ["provider", "connection_id", "organization_id"]
        };
        let targets = targets.map(&mut take);
        let code_challenge = take("code_challenge");
        let state = take("state");
        let valid = take("response_type").as_deref() == Some("code")
            && targets.iter().any(Option::is_some)
            && match (&code_challenge, take("code_challenge_method").as_deref()) {
                (Some(challenge), Some("S256")) => is_challenge(challenge),
                (None, None) => true,
                _ => false,
            };
        if !valid {
            let location = callback_url(&redirect_uri, ("error", "invalid_request"), state.as_deref());
            let no_url = BrowserReply::ErrorPage("The redirect URI isn't a URL.");
            return Ok(location.map_or(no_url, BrowserReply::Redirect));
        }
        let [_, _, organization_id] = targets;
        let login_hint = take("login_hint");
        self.begin_sign_in(Purpose::Redirect { redirect_uri, state, code_challenge, sso }, organization_id, login_hint)
    }

    /// Impersonates a user. Returns the callback URL, which has a code but no state.
    pub(super) fn impersonate(&mut self, email: &str, by: Impersonator, redirect_uri: &str) -> io::Result<String> {
        let refuse = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        if !self.config.allows(redirect_uri) {
            return Err(refuse("the redirect URI is not allowed"));
        }
        let user = self.user_by_email(email).ok_or_else(|| self.unknown_user(email))?;
        let authorization = Authorization {
            user_id: user.id.clone(),
            sso: false,
            organization_id: None,
            code_challenge: None,
            impersonator: Some(by),
        };
        let code = self.issue_code(authorization)?;
        callback_url(redirect_uri, ("code", &code), None).ok_or_else(|| refuse("the redirect URI isn't a URL"))
    }

    pub(super) fn issue_code(&mut self, authorization: Authorization) -> io::Result<String> {
        let code = random("code_")?;
        let expires = after(self.now(), self.config.code_lifetime);
        let issued = Code { authorization, expires, exchanged_for: None, invalidated: false };
        self.codes.insert(code.clone(), issued);
        Ok(code)
    }

    /// `POST /user_management/authenticate` (RFC 6749 §3.2).
    pub(super) fn authenticate(&mut self, bearer: Option<&str>, request: &TokenRequest) -> Result<Value, Refusal> {
        if bearer.is_some() {
            self.check_api_key(bearer)?;
        }
        if !self.knows_client(request.client_id.as_deref()) {
            return Err(Refusal::OAuth("invalid_client", "The client is unknown."));
        }
        let confidential = match &request.client_secret {
            Some(secret) if self.is_api_key(secret) => true,
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
                self.sign_in_with_grant(grant, request)
            }
            Some(_) => Err(Refusal::OAuth("unsupported_grant_type", "The grant is not supported.")),
            None => Err(Refusal::OAuth("invalid_request", "The grant type is missing.")),
        }
    }

    fn exchange_code(&mut self, request: &TokenRequest, confidential: bool) -> Result<Value, Refusal> {
        let code = request.code.as_deref().ok_or(Refusal::OAuth("invalid_request", "The code is missing."))?;
        let (session_id, now) = (random("session_")?, self.now());
        let verifier = request.code_verifier.as_deref();
        let authorization = self.redeem_code(code, verifier, confidential, false, &session_id)?;
        let session = Session {
            user_id: authorization.user_id,
            confidential,
            organization_id: authorization.organization_id,
            impersonator: authorization.impersonator,
            started: now,
            ended: None,
        };
        self.start_session(session_id, session)
    }

    /// Uses up a code for a new session or, with `sso`, a new SSO access token.
    pub(super) fn redeem_code(
        &mut self,
        given: &str,
        verifier: Option<&str>,
        confidential: bool,
        sso: bool,
        session_or_token: &str,
    ) -> Result<Authorization, Refusal> {
        const INVALID: Refusal = Refusal::OAuth("invalid_grant", "The code is unknown, expired or used.");
        let now = self.now();
        if let Some(exchanged_for) = self.codes.get(given).and_then(|code| code.exchanged_for.clone()) {
            self.end_session(&exchanged_for);
            self.sso_tokens.remove(&exchanged_for);
            return Err(INVALID);
        }
        let code = self.codes.get_mut(given).filter(|code| code.authorization.sso == sso).ok_or(INVALID)?;
        if code.invalidated || now >= code.expires {
            return Err(INVALID);
        }
        let challenge = code.authorization.code_challenge.as_deref();
        let proven = match (challenge, verifier) {
            (Some(challenge), Some(verifier)) => verifier_matches(verifier, challenge),
            (Some(_), None) => return Err(Refusal::OAuth("invalid_request", "The code verifier is missing.")),
            // RFC 9700 §2.1.1: a verifier without a challenge is a downgrade.
            (None, Some(_)) => false,
            // A client without PKCE must be a confidential one.
            (None, None) => confidential,
        };
        if !proven {
            code.invalidated = true;
            return Err(Refusal::OAuth("invalid_grant", "The code verifier is wrong."));
        }
        code.exchanged_for = Some(session_or_token.to_owned());
        Ok(code.authorization.clone())
    }
}

/// RFC 7636 §4.1 and §4.6.
fn verifier_matches(verifier: &str, challenge: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && same(&BASE64URL.encode(wire::sha256(verifier)), challenge)
}

fn is_challenge(text: &str) -> bool {
    BASE64URL.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}
