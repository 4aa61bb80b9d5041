//! One suite of flows against the in-process AuthKit and, with `WORKOS_BASE_URL`, against a server nobody here wrote: the
//! vendor's own emulator, any successor of it, or a staging environment, seeded as in `seed.json`.
//!
//! Each flow has a verdict for each server. For the in-process AuthKit every flow passes. `WORKOS_CONFORMANCE_PEER` names a
//! peer whose differences are known (they are in `docs/coverage.md`); a difference that isn't listed fails, and so does a
//! listed one that has gone.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use workos_auth::api::{
    ApiRequest, CreateInvitation, CreateMagicAuth, CreateUser, EnrollFactor, InvitationState, MembershipStatus, Roles,
    SessionStatus, TotpSettings, UpdateUser, VerifiedChallenge,
};
use workos_auth::id::{ConnectionId, PhoneNumber};
use workos_auth::login::PasswordGrant;
use workos_auth::secret::{EmailChangeCode, EmailVerificationCode, PasswordResetToken, State};
use workos_auth::session::MemorySessionStore;
use workos_auth::step::AuthenticationFactorType;
use workos_auth::testing::{AuthKit, Browser, TestUser};
use workos_auth::transport::HyperTransport;
use workos_auth::typestate::{Credentials, HasClientId};
use workos_auth::webhook::{Delivery, EventData, WebhookErrorKind, WebhookEvent, WebhookSecret, Webhooks};
use workos_auth::{
    AuthenticationResponse, Callback, Client, ClientBuilder, Confidential, ConfidentialClient, EmailAddress, Error,
    ErrorCode, ErrorKind, ExposeSecret, NotSignedIn, OrganizationId, Password, PublicClient, RedirectUri, RefreshToken,
    Step, TotpCode, User,
};

/// As it is registered at WorkOS.
const ENDPOINT: &str = "https://example.com/webhooks/workos";

type Outcome<T> = Result<T, Box<dyn StdError>>;
type Run<'a> = Pin<Box<dyn Future<Output = Outcome<Verdict>> + 'a>>;

const ADA: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery staple";

enum Verdict {
    Pass,
    /// What the server did instead.
    Differs(String),
    /// The flow could not be reached on this server.
    NotServed(String),
}

struct Peer {
    /// The clients use `hyper` and not `reqwest`.
    over_hyper: bool,
    base_url: String,
    client_id: String,
    api_key: String,
    /// The peer is the AuthKit in this process, whose mail and authenticator can be read.
    authkit: Option<AuthKit>,
}

struct Flow {
    name: &'static str,
    run: for<'a> fn(&'a Peer) -> Run<'a>,
}

macro_rules! flows {
    ($($name:ident),* $(,)?) => {
        &[$(Flow { name: stringify!($name), run: |peer| Box::pin($name(peer)) }),*]
    };
}

const FLOWS: &[Flow] = flows![
    pkce_login_public,
    pkce_login_confidential,
    wrong_verifier,
    reused_code,
    wrong_client_secret,
    password_right,
    password_wrong,
    magic_auth,
    refresh_rotates,
    refresh_keeps_the_session,
    refresh_replay_within_the_window,
    device_login,
    jwks_and_signature,
    logout_url,
    organization_selection,
    email_verification,
    totp,
    users,
    user_twice,
    magic_auth_code_read_back,
    password_reset,
    email_verified_over_the_api,
    email_changed,
    factors,
    factors_of_the_application,
    sessions,
    invitations,
    invitation_revoked,
    memberships,
    password_reset_confirmed,
    email_verification_confirmed,
    factor_listed_and_deleted,
    challenge_answered,
    session_revoked,
    sso_profile,
    webhook,
];

/// What `workos` 0.14.0 does otherwise, and why that isn't a fault here: see `docs/coverage.md`.
const EMULATOR: &[(&str, &str)] = &[
    ("wrong_verifier", "known difference: 400 invalid_code_verifier"),
    ("reused_code", "known difference: 400 invalid_code"),
    ("wrong_client_secret", "known difference: accepted"),
    ("password_wrong", "known difference: 401 invalid_credentials"),
    ("refresh_keeps_the_session", "known difference: a new sid"),
    ("refresh_replay_within_the_window", "known difference: 400 invalid_grant"),
    ("device_login", "known difference: 401 unauthorized"),
    ("logout_url", "known difference: the refresh token outlives the session"),
    ("organization_selection", "not served: no step is issued"),
    ("email_verification", "not served: no step is issued"),
    ("totp", "not served: no step is issued"),
    ("user_twice", "known difference: 409 user_already_exists"),
    ("password_reset", "known difference: an answer of another shape"),
    ("email_verified_over_the_api", "known difference: an answer of another shape"),
    ("email_changed", "not served: 404 not_found"),
    ("factors", "known difference: an answer of another shape"),
    ("factors_of_the_application", "known difference: an answer of another shape"),
    ("sessions", "known difference: an answer of another shape"),
    ("password_reset_confirmed", "known difference: an answer of another shape"),
    ("email_verification_confirmed", "known difference: an answer of another shape"),
    ("challenge_answered", "known difference: an answer of another shape"),
    ("session_revoked", "known difference: accepted"),
];

impl Peer {
    fn public(&self) -> Result<PublicClient, Error> {
        self.build(Client::builder().client_id(&self.client_id).base_url(&self.base_url))
    }

    fn confidential(&self) -> Result<ConfidentialClient, Error> {
        self.build(Client::builder().client_id(&self.client_id).api_key(&self.api_key).base_url(&self.base_url))
    }

    fn build<K: Credentials>(&self, builder: ClientBuilder<K>) -> Result<Client<K>, Error> {
        if self.over_hyper { builder.build_with(HyperTransport::new()?) } else { builder.build() }
    }

    fn password(&self, email: &str, password: &str) -> Result<PasswordGrant<Confidential>, Error> {
        let email = EmailAddress::new(email)?;
        Ok(self.confidential()?.authenticate_with_password(email, Password::new(password)))
    }

    /// A new user with a verified address and a password.
    async fn create_user(&self, email: &str) -> Outcome<User> {
        let user = CreateUser::new(EmailAddress::new(email)?).email_verified(true).password(Password::new(PASSWORD));
        Ok(self.confidential()?.users().create(&user).send().await?.user)
    }

    /// What an endpoint answers, in whatever shape: what follows is asked of servers whose answers have another one, too.
    async fn raw(&self, method: Method, path: &str, body: Value) -> Outcome<Value> {
        let client = self.confidential()?;
        let request = client.request(method.clone(), path)?;
        Ok(if method == Method::GET { request } else { request.json(&body) }.send().await?)
    }

    /// An organization to be a member of; the in-process AuthKit takes any ID for one.
    async fn organization(&self) -> Outcome<OrganizationId> {
        if self.authkit.is_some() {
            return Ok(OrganizationId::new("org_conformance")?);
        }
        let client = self.confidential()?;
        let request = client.request(Method::POST, "/organizations")?.json(&json!({"name": "Conformance"}));
        Ok(serde_json::from_value(request.send::<Value>().await?["id"].take())?)
    }
}

fn redirect() -> RedirectUri {
    RedirectUri::new("http://localhost:8080/callback").unwrap()
}

async fn sign_in<K: HasClientId>(client: &Client<K>) -> Outcome<AuthenticationResponse> {
    let session = client.authorize(redirect()).authkit().login_hint(ADA).begin()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;
    Ok(session.exchange(Callback::from_url(&callback)?)?.send().await?)
}

/// A parameter of a URL's query.
fn parameter(url: &str, name: &str) -> Outcome<String> {
    let url = url::Url::parse(url)?;
    let (_, value) = url.query_pairs().find(|(key, _)| key == name).ok_or_else(|| format!("no {name}"))?;
    Ok(value.into_owned())
}

/// Status and code of a refusal, as one word each.
fn refusal(error: &Error) -> String {
    let status = error.status().map_or(0, |status| status.as_u16());
    format!("{status} {}", error.code().map_or("without a code", ErrorCode::as_str))
}

fn expect_refusal(outcome: Result<impl Sized, impl Into<Error>>, expected: &str) -> Verdict {
    match outcome.map_err(Into::into) {
        Ok(_) => Verdict::Differs("accepted".to_owned()),
        Err(error) if refusal(&error) == expected => Verdict::Pass,
        Err(error) => Verdict::Differs(refusal(&error)),
    }
}

fn expect(holds: bool, otherwise: &str) -> Verdict {
    if holds { Verdict::Pass } else { Verdict::Differs(otherwise.to_owned()) }
}

async fn pkce_login_public(peer: &Peer) -> Outcome<Verdict> {
    Ok(expect(sign_in(&peer.public()?).await?.user.email == ADA, "another user"))
}

async fn pkce_login_confidential(peer: &Peer) -> Outcome<Verdict> {
    Ok(expect(sign_in(&peer.confidential()?).await?.user.email == ADA, "another user"))
}

async fn wrong_verifier(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.public()?;
    let begin = || client.authorize(redirect()).authkit().login_hint(ADA).begin();
    let (mine, other) = (begin()?, begin()?);
    // The code of one login, in the callback of another: state and verifier are the other's.
    let callback = Browser::new()?.sign_in(other.url().as_str(), ADA).await?;
    let code = parameter(&callback, "code")?;
    let state = parameter(mine.url().as_str(), "state")?;
    let callback = Callback::from_query(&format!("code={code}&state={state}"))?;
    Ok(expect_refusal(mine.exchange(callback)?.send().await, "400 invalid_grant"))
}

async fn reused_code(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.confidential()?;
    let session = client.authorize(redirect()).authkit().login_hint(ADA).begin_without_pkce()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;
    let state = State::new(parameter(session.url().as_str(), "state")?);
    drop(session.exchange(Callback::from_url(&callback)?)?.send().await?);
    let again = client.authenticate_with_code(Callback::from_url(&callback)?.code_for(&state)?).send().await;
    Ok(expect_refusal(again, "400 invalid_grant"))
}

async fn wrong_client_secret(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.confidential()?.with_api_key(workos_auth::secret::ApiKey::new("sk_wrong")?);
    let grant = client.authenticate_with_password(EmailAddress::new(ADA)?, Password::new(PASSWORD));
    Ok(expect_refusal(grant.send().await, "401 without a code"))
}

async fn password_right(peer: &Peer) -> Outcome<Verdict> {
    Ok(expect(peer.password(ADA, PASSWORD)?.send().await?.user.email == ADA, "another user"))
}

async fn password_wrong(peer: &Peer) -> Outcome<Verdict> {
    Ok(expect_refusal(peer.password(ADA, "wrong")?.send().await, "400 invalid_credentials"))
}

async fn magic_auth(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.confidential()?;
    let made = client.magic_auth().create(&CreateMagicAuth::new(EmailAddress::new(ADA)?)).send().await?;
    let grant = client.authenticate_with_magic_auth(made.code, EmailAddress::new(made.email)?);
    Ok(expect(grant.send().await?.user.email == ADA, "another user"))
}

async fn refresh(peer: &Peer, token: &str) -> Result<AuthenticationResponse, Error> {
    Ok(peer.public()?.authenticate_with_refresh_token(RefreshToken::new(token)).send().await?)
}

async fn refresh_rotates(peer: &Peer) -> Outcome<Verdict> {
    let first = sign_in(&peer.public()?).await?;
    let first = first.refresh_token.expose_secret();
    let second = refresh(peer, first).await?;
    Ok(expect(second.refresh_token.expose_secret() != first, "the same token"))
}

async fn refresh_keeps_the_session(peer: &Peer) -> Outcome<Verdict> {
    let first = sign_in(&peer.public()?).await?;
    let second = refresh(peer, first.refresh_token.expose_secret()).await?;
    let same = claims(peer, &first).await?["sid"] == claims(peer, &second).await?["sid"];
    Ok(expect(same, "a new sid"))
}

async fn refresh_replay_within_the_window(peer: &Peer) -> Outcome<Verdict> {
    let first = sign_in(&peer.public()?).await?;
    let first = first.refresh_token.expose_secret();
    let second = refresh(peer, first).await?;
    match refresh(peer, first).await {
        Ok(replayed) => {
            let same = replayed.refresh_token.expose_secret() == second.refresh_token.expose_secret();
            Ok(expect(same, "another pair"))
        }
        Err(error) => Ok(Verdict::Differs(refusal(&error))),
    }
}

async fn device_login(peer: &Peer) -> Outcome<Verdict> {
    let login = match peer.public()?.device_authorization().send().await {
        Ok(login) => login,
        Err(error) => return Ok(Verdict::Differs(refusal(&error))),
    };
    if peer.authkit.is_some() {
        let address = login.verification_uri_complete().ok_or("no address")?.to_string();
        Browser::new()?.approve_device(&address, ADA).await?;
    }
    Ok(expect(login.wait().await?.user.email == ADA, "another user"))
}

/// The claims of an access token whose signature verifies against the peer's JWKS.
async fn claims(peer: &Peer, response: &AuthenticationResponse) -> Outcome<Value> {
    let (status, keys) = Browser::new()?.visit(&format!("{}/sso/jwks/{}", peer.base_url, peer.client_id)).await?;
    if status != 200 {
        return Err(format!("the JWKS has status {status}").into());
    }
    let keys: JwkSet = serde_json::from_str(&keys)?;
    let token = response.access_token.expose_secret();
    let kid = jsonwebtoken::decode_header(token)?.kid.ok_or("no kid")?;
    let key = DecodingKey::from_jwk(keys.find(&kid).ok_or("an unknown kid")?)?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_aud = false;
    Ok(jsonwebtoken::decode::<Value>(token, &key, &validation)?.claims)
}

async fn jwks_and_signature(peer: &Peer) -> Outcome<Verdict> {
    let response = sign_in(&peer.public()?).await?;
    let claims = claims(peer, &response).await?;
    Ok(expect(claims["sub"] == response.user.id.as_str() && claims["sid"].is_string(), "other claims"))
}

async fn logout_url(peer: &Peer) -> Outcome<Verdict> {
    let response = sign_in(&peer.public()?).await?;
    let claims = claims(peer, &response).await?;
    let mut url = url::Url::parse(&format!("{}/user_management/sessions/logout", peer.base_url))?;
    let session_id = claims["sid"].as_str().ok_or("no sid")?;
    url.query_pairs_mut().append_pair("session_id", session_id).append_pair("return_to", "http://localhost:8080/bye");
    let (status, _) = Browser::new()?.visit(url.as_str()).await?;
    let refreshed = refresh(peer, response.refresh_token.expose_secret()).await;
    Ok(match (status, refreshed) {
        (302, Err(error)) if error.code() == Some(&ErrorCode::InvalidGrant) => Verdict::Pass,
        (302, Ok(_)) => Verdict::Differs("the refresh token outlives the session".to_owned()),
        (status, _) => Verdict::Differs(format!("status {status}")),
    })
}

/// A step that this server did not issue can't be tried on it.
fn not_issued(outcome: Result<AuthenticationResponse, NotSignedIn<PasswordGrant<Confidential>>>) -> Outcome<Verdict> {
    match outcome {
        Ok(_) => Ok(Verdict::NotServed("no step is issued".to_owned())),
        Err(NotSignedIn::Step(other)) => Err(format!("another step: {other:?}").into()),
        Err(NotSignedIn::Rejected(rejected)) => Err(rejected.into()),
    }
}

async fn organization_selection(peer: &Peer) -> Outcome<Verdict> {
    match peer.password("several@example.com", PASSWORD)?.send().await {
        Err(NotSignedIn::Step(Step::OrganizationSelection(step))) => {
            let id = step.organizations().first().ok_or("no organizations")?.id.clone();
            let response = step.select(&id)?.send().await?;
            Ok(expect(response.organization_id == Some(id), "another organization"))
        }
        other => not_issued(other),
    }
}

async fn email_verification(peer: &Peer) -> Outcome<Verdict> {
    match peer.password("unverified@example.com", PASSWORD)?.send().await {
        Err(NotSignedIn::Step(Step::EmailVerification(step))) => {
            let code = match (&peer.authkit, step.id()) {
                (Some(authkit), _) => authkit.last_code("unverified@example.com").ok_or("nothing was sent")?,
                (None, Some(id)) => {
                    let sent = peer.confidential()?.email_verification().get(id).send().await?;
                    sent.code.expose_secret().to_owned()
                }
                (None, None) => return Err("the verification has no ID".into()),
            };
            let response = step.verify(EmailVerificationCode::new(code)).send().await?;
            Ok(expect(response.user.email_verified, "not verified"))
        }
        other => not_issued(other),
    }
}

async fn totp(peer: &Peer) -> Outcome<Verdict> {
    if peer.authkit.is_some() {
        let verdict = second_factor(peer, "challenged@example.com").await?;
        if !matches!(verdict, Verdict::Pass) {
            return Ok(verdict);
        }
    }
    second_factor(peer, "totp@example.com").await
}

async fn second_factor(peer: &Peer, email: &str) -> Outcome<Verdict> {
    match peer.password(email, PASSWORD)?.send().await {
        Err(NotSignedIn::Step(Step::MfaChallenge(step))) => {
            let Some(authkit) = &peer.authkit else {
                return Ok(Verdict::NotServed("the authenticator can't be read here".to_owned()));
            };
            let factor = step.factors().first().ok_or("no factors")?.id.clone();
            let challenge = step.challenge(&factor).send().await?;
            let code = authkit.totp_code(email).ok_or("no factor")?;
            let response = challenge.verify(TotpCode::new(code)).send().await?;
            Ok(expect(response.user.email == email, "another user"))
        }
        // Some servers send the challenge by themselves.
        Err(NotSignedIn::Step(Step::TotpChallenge(step))) => {
            let (error, step) = match step.verify(TotpCode::new("wrong")).send().await {
                Err(NotSignedIn::Rejected(rejected)) => rejected.into_parts(),
                Ok(_) | Err(NotSignedIn::Step(_)) => return Ok(Verdict::Differs("a wrong code was taken".to_owned())),
            };
            let Some(step) = step.filter(|_| error.code() == Some(&ErrorCode::InvalidOneTimeCode)) else {
                return Ok(Verdict::Differs(refusal(&error)));
            };
            let Some(authkit) = &peer.authkit else {
                return Ok(Verdict::NotServed("the code of the challenge can't be read here".to_owned()));
            };
            let code = authkit.totp_code(email).ok_or("no factor")?;
            let response = step.verify(TotpCode::new(code)).send().await?;
            Ok(expect(response.user.email == email, "another user"))
        }
        other => not_issued(other),
    }
}

async fn users(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.confidential()?;
    let users = client.users();
    let email = EmailAddress::new("grace@example.com")?;
    let new = CreateUser::new(email.clone()).first_name("Grace").metadata([("plan", "pro")]).external_id("ext 1/2");
    let created = users.create(&new).send().await?.user;
    let found = users.get(&created.id).send().await?;
    let by_external_id = users.get_by_external_id("ext 1/2").send().await?;
    let listed = users.list().email(&email).send().await?.data;
    let update = UpdateUser::new().last_name("Hopper").external_id(None);
    let changed = users.update(&created.id, &update).send().await?;
    users.delete(&created.id).send().await?;
    let gone = users.get(&created.id).send().await;
    Ok(expect(
        found == created
            && by_external_id.id == created.id
            && listed.len() == 1
            && created.metadata.get("plan").map(String::as_str) == Some("pro")
            && (changed.first_name.as_deref(), changed.last_name.as_deref()) == (Some("Grace"), Some("Hopper"))
            && changed.external_id.is_none()
            && gone.is_err_and(|error| error.status() == Some(StatusCode::NOT_FOUND)),
        &format!("created {created:?}, found {found:?}, listed {}, changed {changed:?}", listed.len()),
    ))
}

async fn user_twice(peer: &Peer) -> Outcome<Verdict> {
    let again = CreateUser::new(EmailAddress::new(ADA)?);
    Ok(expect_refusal(peer.confidential()?.users().create(&again).send().await, "400 user_creation_error"))
}

async fn magic_auth_code_read_back(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.confidential()?;
    let made = client.magic_auth().create(&CreateMagicAuth::new(EmailAddress::new(ADA)?)).send().await?;
    let read = client.magic_auth().get(&made.id).send().await?;
    let same = read.code.expose_secret() == made.code.expose_secret() && read.user_id == made.user_id;
    let response = client.authenticate_with_magic_auth(read.code, EmailAddress::new(read.email)?).send().await?;
    Ok(expect(same && response.user.id == made.user_id, "another code"))
}

async fn password_reset(peer: &Peer) -> Outcome<Verdict> {
    const EMAIL: &str = "reset@example.com";
    let user = peer.create_user(EMAIL).await?;
    let client = peer.confidential()?;
    let made = client.password_reset().create(&EmailAddress::new(EMAIL)?).send().await?;
    let read = client.password_reset().get(&made.id).send().await?;
    let changed =
        client.password_reset().confirm(&read.token, &Password::new("another horse, a staple")).send().await?;
    let old = matches!(peer.password(EMAIL, PASSWORD)?.send().await, Err(NotSignedIn::Rejected(_)));
    let new = peer.password(EMAIL, "another horse, a staple")?.send().await?;
    let again = client.password_reset().confirm(&made.token, &Password::new("a third")).send().await.is_err();
    Ok(expect(
        changed.id == user.id && old && new.user.id == user.id && again,
        "the old password or the token is still good",
    ))
}

async fn email_verified_over_the_api(peer: &Peer) -> Outcome<Verdict> {
    const EMAIL: &str = "verify@example.com";
    let client = peer.confidential()?;
    let emails = client.email_verification();
    let user = client.users().create(&CreateUser::new(EmailAddress::new(EMAIL)?)).send().await?.user;
    emails.send_email(&user.id).send().await?;
    let wrong = emails.confirm(&user.id, &EmailVerificationCode::new("wrong")).send().await.is_err();
    let Some(authkit) = &peer.authkit else {
        return Ok(expect(wrong && !user.email_verified, "a wrong code was taken"));
    };
    let code = EmailVerificationCode::new(authkit.last_code(EMAIL).ok_or("nothing was sent")?);
    let verified = emails.confirm(&user.id, &code).send().await?;
    Ok(expect(wrong && !user.email_verified && verified.email_verified, "not verified"))
}

async fn email_changed(peer: &Peer) -> Outcome<Verdict> {
    let user = peer.create_user("before@example.com").await?;
    let client = peer.confidential()?;
    let sent = client.email_change().send_email(&user.id, &EmailAddress::new("after@example.com")?).send().await;
    let (Some(authkit), Ok(sent)) = (&peer.authkit, &sent) else {
        return Ok(match sent {
            Ok(sent) => expect(sent.new_email.as_str() == "after@example.com", "another address"),
            Err(error) => Verdict::NotServed(refusal(&error)),
        });
    };
    let code = EmailChangeCode::new(authkit.last_code("before@example.com").ok_or("nothing was sent")?);
    let changed = client.email_change().confirm(&user.id, &code).send().await?;
    Ok(expect(sent.user.email == "before@example.com" && changed.email == "after@example.com", "not changed"))
}

async fn factors(peer: &Peer) -> Outcome<Verdict> {
    let user = peer.create_user("factors@example.com").await?;
    let client = peer.confidential()?;
    let mfa = client.mfa();
    let settings = TotpSettings::new().issuer("Conformance").user("factors@example.com");
    let enrolled = mfa.enroll_totp(&user.id, &settings).send().await?;
    let shown = enrolled.factor.totp.is_some_and(|totp| !totp.secret.expose_secret().is_empty());
    let listed = mfa.list(&user.id).send().await?.data;
    let read = mfa.get(&enrolled.factor.id).send().await?;
    mfa.delete(&enrolled.factor.id).send().await?;
    let gone = mfa.get(&enrolled.factor.id).send().await.is_err();
    let same = listed.len() == 1 && listed[0].id == enrolled.factor.id && read.kind == AuthenticationFactorType::Totp;
    Ok(expect(shown && same && gone, &format!("{listed:?}, {read:?}")))
}

/// Whether the code that answers a challenge is right.
async fn is_right(answer: ApiRequest<VerifiedChallenge>) -> Result<bool, Error> {
    match answer.send().await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::WrongCode) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn factors_of_the_application(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.confidential()?;
    let mfa = client.mfa();
    if peer.authkit.is_some() {
        let factor = mfa.enroll(&EnrollFactor::generic_otp()).send().await?;
        let challenge = mfa.challenge(&factor.id, None).send().await?;
        let code = challenge.code.ok_or("no code")?;
        let right = is_right(mfa.verify(&challenge.id, &code)).await?;
        if factor.kind != AuthenticationFactorType::GenericOtp || !right {
            return Ok(Verdict::Differs("a generic one-time code was not taken".to_owned()));
        }
    }
    let factor = mfa.enroll(&EnrollFactor::sms(PhoneNumber::new("+15005550006")?)).send().await?;
    let challenge = mfa.challenge(&factor.id, None).send().await?;
    let wrong = is_right(mfa.verify(&challenge.id, &TotpCode::new("wrong"))).await?;
    let Some(code) = challenge.code else { return Ok(expect(!wrong, "a wrong code was taken")) };
    let right = is_right(mfa.verify(&challenge.id, &code)).await?;
    Ok(expect(!wrong && right, "a wrong code was taken, or the right one not"))
}

async fn sessions(peer: &Peer) -> Outcome<Verdict> {
    const EMAIL: &str = "sessions@example.com";
    let user = peer.create_user(EMAIL).await?;
    let client = peer.confidential()?;
    let response = peer.password(EMAIL, PASSWORD)?.send().await?;
    let listed = client.sessions().list(&user.id).send().await?.data;
    let [session] = listed.as_slice() else { return Ok(Verdict::Differs(format!("{} sessions", listed.len()))) };
    let active = session.status == SessionStatus::Active && session.user_id == user.id;
    client.sessions().revoke(&session.id).send().await?;
    let refreshed = client.authenticate_with_refresh_token(response.refresh_token).send().await;
    Ok(match refreshed {
        Ok(_) => Verdict::Differs("the refresh token outlives the session".to_owned()),
        Err(rejected) => expect(active && rejected.error().code() == Some(&ErrorCode::InvalidGrant), "another refusal"),
    })
}

async fn invitations(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.confidential()?;
    let invitations = client.invitations();
    let email = EmailAddress::new("invited@example.com")?;
    let sent = invitations.create(&CreateInvitation::new(email.clone()).expires_in_days(3)).send().await?;
    let read = invitations.get(&sent.id).send().await?;
    let by_token = invitations.get_by_token(&sent.token).send().await?;
    let listed = invitations.list().email(&email).send().await?.data;
    let resent = invitations.resend(&sent.id, None).send().await?;
    peer.create_user(email.as_str()).await?;
    let accepted = invitations.accept(&sent.id).send().await?;
    let same = [&read.id, &by_token.id, &resent.id, &accepted.id].iter().all(|id| **id == sent.id);
    let states = (sent.state == InvitationState::Pending, accepted.state == InvitationState::Accepted);
    Ok(expect(same && listed.len() == 1 && states == (true, true), &format!("{listed:?}, {accepted:?}")))
}

async fn invitation_revoked(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.confidential()?;
    let invitations = client.invitations();
    let sent = invitations.create(&CreateInvitation::new(EmailAddress::new("revoked@example.com")?)).send().await?;
    let revoked = invitations.revoke(&sent.id).send().await?;
    let accepted = invitations.accept(&sent.id).send().await;
    Ok(expect(revoked.state == InvitationState::Revoked && accepted.is_err(), "still pending"))
}

async fn memberships(peer: &Peer) -> Outcome<Verdict> {
    let user = peer.create_user("member@example.com").await?;
    let organization = peer.organization().await?;
    let client = peer.confidential()?;
    let memberships = client.organization_memberships();
    let created = memberships.create(&user.id, &organization, &Roles::Default {}).send().await?;
    let read = memberships.get(&created.id).send().await?;
    let listed = memberships.list().user(&user.id).organization(&organization).send().await?.data;
    let changed = memberships.update(&created.id, &Roles::One("admin".to_owned())).send().await?;
    let inactive = memberships.deactivate(&created.id).send().await?;
    let active = memberships.reactivate(&created.id).send().await?;
    memberships.delete(&created.id).send().await?;
    let gone = memberships.get(&created.id).send().await.is_err();
    let statuses = [&created.status, &inactive.status, &active.status].map(MembershipStatus::as_str);
    Ok(expect(
        read.id == created.id
            && listed.len() == 1
            && changed.role.slug == "admin"
            && statuses == ["active", "inactive", "active"]
            && gone,
        &format!("{statuses:?}, {} listed, {}", listed.len(), changed.role.slug),
    ))
}

fn id<T: std::str::FromStr<Err = Error>>(value: &Value) -> Result<T, Error> {
    value.as_str().unwrap_or_default().parse()
}

async fn password_reset_confirmed(peer: &Peer) -> Outcome<Verdict> {
    const EMAIL: &str = "confirm@example.com";
    let user = peer.create_user(EMAIL).await?;
    let made = peer.raw(Method::POST, "/user_management/password_reset", json!({"email": EMAIL})).await?;
    let token = made["password_reset_token"].as_str().or(made["token"].as_str()).ok_or("no token")?;
    let password = "another horse, a staple";
    let client = peer.confidential()?;
    let resets = client.password_reset();
    let changed = resets.confirm(&PasswordResetToken::new(token), &Password::new(password)).send().await?;
    let signed_in = peer.password(EMAIL, password)?.send().await?;
    Ok(expect(changed.id == user.id && signed_in.user.id == user.id, "another user"))
}

async fn email_verification_confirmed(peer: &Peer) -> Outcome<Verdict> {
    const EMAIL: &str = "code@example.com";
    let client = peer.confidential()?;
    let user = client.users().create(&CreateUser::new(EmailAddress::new(EMAIL)?)).send().await?.user;
    let path = format!("/user_management/users/{}/email_verification/send", user.id);
    let sent = peer.raw(Method::POST, &path, json!({})).await?;
    let read = peer.authkit.as_ref().and_then(|authkit| authkit.last_code(EMAIL));
    let code = read.or(sent["code"].as_str().map(str::to_owned)).ok_or("no code")?;
    let verified = client.email_verification().confirm(&user.id, &EmailVerificationCode::new(code)).send().await?;
    Ok(expect(verified.id == user.id && verified.email_verified, "not verified"))
}

async fn factor_listed_and_deleted(peer: &Peer) -> Outcome<Verdict> {
    let user = peer.create_user("factor@example.com").await?;
    let path = format!("/user_management/users/{}/auth_factors", user.id);
    let enrolled = peer.raw(Method::POST, &path, json!({"type": "totp"})).await?;
    let factor = enrolled.get("authentication_factor").unwrap_or(&enrolled);
    let factor_id = id(&factor["id"])?;
    let client = peer.confidential()?;
    let listed = client.mfa().list(&user.id).send().await?.data;
    let read = client.mfa().get(&factor_id).send().await?;
    client.mfa().delete(&factor_id).send().await?;
    let gone = client.mfa().get(&factor_id).send().await.is_err();
    let same = listed.len() == 1 && listed[0] == read && read.user_id.as_ref() == Some(&user.id);
    Ok(expect(same && read.kind == AuthenticationFactorType::Totp && gone, &format!("{listed:?}, {read:?}")))
}

async fn challenge_answered(peer: &Peer) -> Outcome<Verdict> {
    let body = json!({"type": "sms", "phone_number": "+15005550006"});
    let enrolled = peer.raw(Method::POST, "/auth/factors/enroll", body).await?;
    let client = peer.confidential()?;
    let challenge = client.mfa().challenge(&id(&enrolled["id"])?, None).send().await?;
    let code = challenge.code.ok_or("no code")?;
    match client.mfa().verify(&challenge.id, &code).send().await {
        Err(error) if !matches!(error.kind(), ErrorKind::WrongCode) => Err(error.into()),
        answered => {
            Ok(expect(answered.is_ok_and(|it| it.challenge.id == challenge.id), "the right code was not taken"))
        }
    }
}

async fn session_revoked(peer: &Peer) -> Outcome<Verdict> {
    const EMAIL: &str = "revoke@example.com";
    let user = peer.create_user(EMAIL).await?;
    let response = peer.password(EMAIL, PASSWORD)?.send().await?;
    let path = format!("/user_management/users/{}/sessions", user.id);
    let listed = peer.raw(Method::GET, &path, Value::Null).await?;
    let client = peer.confidential()?;
    client.sessions().revoke(&id(&listed["data"][0]["id"])?).send().await?;
    let refreshed = client.authenticate_with_refresh_token(response.refresh_token).send().await;
    Ok(expect_refusal(refreshed, "400 invalid_grant"))
}

async fn sso_profile(peer: &Peer) -> Outcome<Verdict> {
    let connection = if peer.authkit.is_some() {
        ConnectionId::new("conn_1")?
    } else {
        let connections = peer.raw(Method::GET, "/connections", Value::Null).await?;
        match &connections["data"][0]["id"] {
            Value::String(id) => ConnectionId::new(id)?,
            _ => return Ok(Verdict::NotServed("there is no connection".to_owned())),
        }
    };
    let client = peer.confidential()?;
    let session = client.authorize_sso(redirect(), connection).login_hint(ADA).begin()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;
    let login = session.exchange(Callback::from_url(&callback)?)?.send().await?;
    let profile = client.with_access_token(&login.access_token).profile().send().await?;
    Ok(expect(login.profile.email.as_unverified_str() == ADA && profile == login.profile, "another profile"))
}

/// The webhooks that a server sends are handled here, with the secret that it has for the endpoint.
async fn webhook(peer: &Peer) -> Outcome<Verdict> {
    const EMAIL: &str = "webhook@example.com";
    let client = peer.confidential()?;
    let mut secret = WebhookSecret::new("conformance-secret-of-an-endpoint")?;
    let mut requests = Vec::new();
    if let Some(authkit) = &peer.authkit {
        let user = peer.create_user(EMAIL).await?;
        requests.push(authkit.webhook(&secret, "user.created", &serde_json::to_value(&user)?)?);
        let data = json!({"id": "session_1", "user_id": user.id});
        requests.push(authkit.webhook(&secret, "session.revoked", &data)?);
    } else {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/webhook", listener.local_addr()?);
        let body = json!({"endpoint_url": url, "events": ["user.created", "session.revoked"]});
        let Ok(endpoint) = peer.raw(Method::POST, "/webhook_endpoints", body).await else {
            return Ok(Verdict::NotServed("an endpoint can't be registered".to_owned()));
        };
        secret = WebhookSecret::new(endpoint["secret"].as_str().ok_or("no secret")?)?;
        let user = peer.create_user(EMAIL).await?;
        requests.push(received(&listener).await?);
        drop(peer.password(EMAIL, PASSWORD)?.send().await?);
        let path = format!("/user_management/users/{}/sessions", user.id);
        let listed = peer.raw(Method::GET, &path, Value::Null).await?;
        client.sessions().revoke(&id(&listed["data"][0]["id"])?).send().await?;
        requests.push(received(&listener).await?);
    }
    let wrong = Webhooks::new(
        &client,
        MemorySessionStore::new(),
        ENDPOINT,
        WebhookSecret::new("the-secret-of-another-endpoint")?,
    );
    let webhooks = Webhooks::new(&client, MemorySessionStore::new(), ENDPOINT, secret);
    for (request, kind) in requests.iter().zip(["user.created", "session.revoked"]) {
        let handler = async |event: WebhookEvent| match event.data() {
            EventData::UserCreated(user) if user.email == EMAIL => Ok(event.kind().to_owned()),
            EventData::SessionRevoked(_) => Ok(event.kind().to_owned()),
            _ => Err("another event"),
        };
        match wrong.handle(request.headers(), request.body(), &handler).await {
            Err(error) if error.kind() == WebhookErrorKind::WrongSignature => {}
            _ => return Ok(Verdict::Differs("another secret is right".to_owned())),
        }
        match webhooks.handle(request.headers(), request.body(), &handler).await {
            Ok(Delivery::Handled(said)) if said == kind => {}
            Ok(_) => return Ok(Verdict::Differs("another event".to_owned())),
            Err(error) => return Ok(Verdict::Differs(error.to_string())),
        }
    }
    Ok(Verdict::Pass)
}

/// The next request to a listener, which is answered with 200.
async fn received(listener: &TcpListener) -> Outcome<http::Request<Bytes>> {
    tokio::time::timeout(Duration::from_secs(10), async {
        let (mut stream, _) = listener.accept().await?;
        let mut text = Vec::new();
        loop {
            if stream.read_buf(&mut text).await? == 0 {
                return Err("half a request".into());
            }
            let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = str::from_utf8(&text[..end])?;
            let mut request = http::Request::post("/webhook");
            let mut length = 0;
            for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(": ")) {
                request = request.header(name, value);
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.parse()?;
                }
            }
            if text.len() >= end + 4 + length {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
                return Ok(request.body(Bytes::copy_from_slice(&text[end + 4..end + 4 + length]))?);
            }
        }
    })
    .await?
}

async fn in_process(over_hyper: bool) -> Outcome<Peer> {
    let user = |email: &str| TestUser::new(email).password(PASSWORD);
    let authkit = AuthKit::builder()
        .user(user(ADA).name("Ada", "Lovelace"))
        .user(user("several@example.com").organization("org_1").organization("org_2"))
        .user(user("unverified@example.com").unverified())
        .user(user("totp@example.com").totp())
        .user(user("challenged@example.com").totp_challenged())
        .start()
        .await?;
    Ok(Peer {
        over_hyper,
        base_url: authkit.base_url().to_owned(),
        client_id: authkit.client_id().to_owned(),
        api_key: authkit.api_key().to_owned(),
        authkit: Some(authkit),
    })
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => formatter.write_str("pass"),
            Self::Differs(how) => write!(formatter, "known difference: {how}"),
            Self::NotServed(why) => write!(formatter, "not served: {why}"),
        }
    }
}

/// Runs every flow and prints its verdict; how many were not as expected.
async fn judge(name: &str, peer: &Peer, known: &[(&str, &str)]) -> usize {
    let mut unexpected = 0;
    for flow in FLOWS {
        let expected = known.iter().find(|(known, _)| *known == flow.name).map_or("pass", |(_, verdict)| verdict);
        let verdict = match (flow.run)(peer).await {
            Ok(verdict) => verdict.to_string(),
            Err(error) => match error.downcast_ref::<Error>().map(Error::kind) {
                Some(ErrorKind::UnexpectedShape) => {
                    Verdict::Differs("an answer of another shape".to_owned()).to_string()
                }
                _ => format!("error: {error}"),
            },
        };
        let mark = if verdict == expected { "ok" } else { "NOT AS EXPECTED" };
        println!("{name:<14} {:<34} {mark:<4} {verdict}", flow.name);
        unexpected += usize::from(verdict != expected);
    }
    unexpected
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

async fn run() -> Outcome<usize> {
    let mut unexpected = judge("in-process", &in_process(false).await?, &[]).await;
    unexpected += judge("over hyper", &in_process(true).await?, &[]).await;
    let mut flows = 2 * FLOWS.len();
    if let Some(base_url) = variable("WORKOS_BASE_URL") {
        let peer = Peer {
            over_hyper: false,
            base_url: base_url.trim_end_matches('/').to_owned(),
            client_id: variable("WORKOS_CLIENT_ID").unwrap_or_else(|| "client_conformance".to_owned()),
            api_key: variable("WORKOS_API_KEY").unwrap_or_else(|| "sk_test_conformance".to_owned()),
            authkit: None,
        };
        let name = variable("WORKOS_CONFORMANCE_PEER").unwrap_or_else(|| "peer".to_owned());
        let known = if name == "workos-0.14.0" { EMULATOR } else { &[] };
        unexpected += judge(&name, &peer, known).await;
        flows += FLOWS.len();
    } else {
        println!("WORKOS_BASE_URL is not set: no other server is asked. The gate asks the vendor's emulator.");
    }
    println!("\n{flows} flows");
    println!("{} passed, {unexpected} failed", flows - unexpected);
    Ok(unexpected)
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(run()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
