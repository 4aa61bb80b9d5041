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

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use workos_auth::testing::{AuthKit, Browser, TestUser};
use workos_auth::{
    Authentication, AuthenticationResponse, Callback, Client, Confidential, ConfidentialClient, EmailAddress,
    EmailVerificationCode, Error, ErrorCode, ExposeSecret, HasClientId, MagicAuthCode, Password, PublicClient,
    RedirectUri, RefreshToken, TotpCode,
};

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
];

/// What `workos` 0.14.0 does otherwise, and why that is no fault here: see `docs/coverage.md`.
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
];

impl Peer {
    fn public(&self) -> Result<PublicClient, Error> {
        Client::builder().client_id(&self.client_id).base_url(&self.base_url).build()
    }

    fn confidential(&self) -> Result<ConfidentialClient, Error> {
        Client::builder().client_id(&self.client_id).api_key(&self.api_key).base_url(&self.base_url).build()
    }

    async fn password(&self, email: &str, password: &str) -> Result<Authentication<Confidential>, Error> {
        let email = EmailAddress::new(email)?;
        Ok(self.confidential()?.authenticate_with_password(email, Password::new(password)).send().await?)
    }

    /// An API-key endpoint that the crate doesn't model.
    async fn api(&self, method: http::Method, path: &str, body: String) -> Outcome<Value> {
        let request =
            reqwest::Client::builder().no_proxy().build()?.request(method, format!("{}{path}", self.base_url));
        let request = request.header("authorization", format!("Bearer {}", self.api_key));
        let reply = request.header("content-type", "application/json").body(body).send().await?;
        Ok(serde_json::from_slice(&reply.bytes().await?)?)
    }

    /// The code of a Magic Auth e-mail, over the API where the peer is another server.
    async fn magic_auth_code(&self, email: &str) -> Outcome<String> {
        if let Some(authkit) = &self.authkit {
            return Ok(authkit.send_magic_auth(email)?);
        }
        let body = json!({"email": email}).to_string();
        let reply = self.api(http::Method::POST, "/user_management/magic_auth", body).await?;
        Ok(reply["code"].as_str().ok_or("no code")?.to_owned())
    }
}

fn redirect() -> RedirectUri {
    RedirectUri::new("http://localhost:8080/callback").unwrap()
}

async fn sign_in<K: HasClientId>(client: &Client<K>) -> Outcome<AuthenticationResponse> {
    let session = client.authorize(redirect()).authkit().login_hint(ADA).begin()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;
    Ok(session.exchange(Callback::from_url(&callback)?)?.send().await?.complete()?)
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
    let pair = |url: &str, name: &str| -> Option<String> {
        let url = url::Url::parse(url).ok()?;
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let code = pair(&callback, "code").ok_or("no code")?;
    let state = pair(mine.url().as_str(), "state").ok_or("no state")?;
    let callback = Callback::from_query(&format!("code={code}&state={state}"))?;
    Ok(expect_refusal(mine.exchange(callback)?.send().await, "400 invalid_grant"))
}

async fn reused_code(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.confidential()?;
    let session = client.authorize(redirect()).authkit().login_hint(ADA).begin_without_pkce()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;
    let url = url::Url::parse(&callback)?;
    let code = url.query_pairs().find(|(name, _)| name == "code").ok_or("no code")?.1.into_owned();
    session.exchange(Callback::from_url(&callback)?)?.send().await?.complete()?;
    let again = client.authenticate_with_code(workos_auth::AuthorizationCode::new(code)).send().await;
    Ok(expect_refusal(again, "400 invalid_grant"))
}

async fn wrong_client_secret(peer: &Peer) -> Outcome<Verdict> {
    let client = peer.confidential()?.with_api_key(workos_auth::ApiKey::new("sk_wrong")?);
    let grant = client.authenticate_with_password(EmailAddress::new(ADA)?, Password::new(PASSWORD));
    Ok(expect_refusal(grant.send().await, "401 without a code"))
}

async fn password_right(peer: &Peer) -> Outcome<Verdict> {
    Ok(expect(peer.password(ADA, PASSWORD).await?.complete()?.user.email == ADA, "another user"))
}

async fn password_wrong(peer: &Peer) -> Outcome<Verdict> {
    Ok(expect_refusal(peer.password(ADA, "wrong").await, "400 invalid_credentials"))
}

async fn magic_auth(peer: &Peer) -> Outcome<Verdict> {
    let code = MagicAuthCode::new(peer.magic_auth_code(ADA).await?);
    let grant = peer.confidential()?.authenticate_with_magic_auth(code, EmailAddress::new(ADA)?);
    Ok(expect(grant.send().await?.complete()?.user.email == ADA, "another user"))
}

async fn refresh(peer: &Peer, token: &str) -> Result<AuthenticationResponse, Error> {
    peer.public()?.authenticate_with_refresh_token(RefreshToken::new(token)).send().await?.complete()
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
    Ok(expect(login.wait().await?.complete()?.user.email == ADA, "another user"))
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
fn not_issued(outcome: &Authentication<Confidential>) -> Outcome<Verdict> {
    match outcome {
        Authentication::Complete(_) => Ok(Verdict::NotServed("no step is issued".to_owned())),
        other => Err(format!("another step: {other:?}").into()),
    }
}

async fn organization_selection(peer: &Peer) -> Outcome<Verdict> {
    match peer.password("several@example.com", PASSWORD).await? {
        Authentication::OrganizationSelection(step) => {
            let id = step.organizations().first().ok_or("no organizations")?.id.clone();
            let response = step.select(&id)?.send().await?.complete()?;
            Ok(expect(response.organization_id == Some(id), "another organization"))
        }
        other => not_issued(&other),
    }
}

async fn email_verification(peer: &Peer) -> Outcome<Verdict> {
    match peer.password("unverified@example.com", PASSWORD).await? {
        Authentication::EmailVerification(step) => {
            let code = match (&peer.authkit, step.id()) {
                (Some(authkit), _) => authkit.last_code("unverified@example.com").ok_or("nothing was sent")?,
                (None, Some(id)) => {
                    let path = format!("/user_management/email_verification/{id}");
                    let verification = peer.api(http::Method::GET, &path, String::new()).await?;
                    verification["code"].as_str().ok_or("no code")?.to_owned()
                }
                (None, None) => return Err("the verification has no ID".into()),
            };
            let response = step.verify(EmailVerificationCode::new(code)).send().await?.complete()?;
            Ok(expect(response.user.email_verified, "not verified"))
        }
        other => not_issued(&other),
    }
}

async fn totp(peer: &Peer) -> Outcome<Verdict> {
    match peer.password("totp@example.com", PASSWORD).await? {
        Authentication::MfaChallenge(step) => {
            let Some(authkit) = &peer.authkit else {
                return Ok(Verdict::NotServed("the authenticator can't be read here".to_owned()));
            };
            let factor = step.factors().first().ok_or("no factors")?.id.clone();
            let challenge = step.challenge(&factor).send().await?;
            let code = authkit.totp_code("totp@example.com").ok_or("no factor")?;
            let response = challenge.verify(TotpCode::new(code)).send().await?.complete()?;
            Ok(expect(response.user.email == "totp@example.com", "another user"))
        }
        other => not_issued(&other),
    }
}

async fn in_process() -> Outcome<Peer> {
    let user = |email: &str| TestUser::new(email).password(PASSWORD);
    let authkit = AuthKit::builder()
        .user(user(ADA).name("Ada", "Lovelace"))
        .user(user("several@example.com").organization("org_1").organization("org_2"))
        .user(user("unverified@example.com").unverified())
        .user(user("totp@example.com").totp())
        .start()
        .await?;
    Ok(Peer {
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
            Err(error) => format!("error: {error}"),
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
    let mut unexpected = judge("in-process", &in_process().await?, &[]).await;
    let mut flows = FLOWS.len();
    if let Some(base_url) = variable("WORKOS_BASE_URL") {
        let peer = Peer {
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
