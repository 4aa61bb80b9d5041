//! Bodies, headers and URLs as they go over the wire.
//!
//! The bodies that several files share are here; every other body is written next to its grant, step or endpoint. For a body,
//! [`text`] is the one function that exposes a secret, and [`clone_refresh_token`] and [`clone_session_handle`] are the only
//! copies of secrets that aren't `Clone`. So a search for these names finds every place where a secret leaves its type.

use std::borrow::Cow;
use std::net::IpAddr;

use aws_lc_rs::digest::{self, Digest, SHA256};
use base64::Engine;
use bytes::Bytes;
use http::HeaderValue;
use secrecy::ExposeSecret;
use serde::{Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::base64url::BASE64URL;
use crate::credentials::Identity;
use crate::error::Error;
use crate::id::{BaseUrl, ClientId, JwksUrl, LogoutUrl, RedirectUri, ReturnPath, SessionId};
use crate::runtime::Random;
use crate::secret::{
    ApiKey, AuthorizationUrl, CodeVerifier, InvitationToken, MachineSecret, RefreshToken, SessionHandle, State,
    bearer as bearer_header,
};
use crate::wiped::WipedBytes;

/// Most bodies are smaller.
const USUAL_BODY_BYTES: usize = 512;

pub(crate) const AUTHENTICATE: &str = "/user_management/authenticate";
pub(crate) const AUTHORIZE_DEVICE: &str = "/user_management/authorize/device";
pub(crate) const RADAR_CHALLENGES: &str = "/user_management/radar_challenges";
pub(crate) const ENROLL_FACTOR: &str = "/user_management/users/{id}/auth_factors";
pub(crate) const SSO_TOKEN: &str = "/sso/token";
pub(crate) const SSO_PROFILE: &str = "/sso/profile";
pub(crate) const CONNECT_TOKEN: &str = "/oauth2/token";
pub(crate) const CHALLENGE_FACTOR: &str = "/auth/factors/{id}/challenge";
const AUTHORIZE: &str = "/user_management/authorize";
const SSO_AUTHORIZE: &str = "/sso/authorize";
const JWKS: &str = "/sso/jwks";
const LOGOUT: &str = "/user_management/sessions/logout";

/// The body of `POST /user_management/authenticate`. Key order is field order.
#[derive(Serialize)]
pub(crate) struct TokenRequest<'a, G> {
    grant_type: &'static str,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    #[serde(flatten)]
    grant: G,
}

impl<'a, G> TokenRequest<'a, G> {
    pub(crate) fn new(grant_type: &'static str, identity: Identity<'a>, grant: G) -> Self {
        Self {
            grant_type,
            client_id: identity.client_id.as_str(),
            client_secret: identity.api_key.map(ApiKey::expose_secret),
            grant,
        }
    }
}

/// RFC 6749 §4.1.3 with the verifier of RFC 7636 §4.5.
#[derive(Serialize)]
pub(crate) struct AuthorizationCodeBody<'a> {
    pub(crate) code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code_verifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invitation_token: Option<&'a str>,
    #[serde(flatten)]
    pub(crate) context: ContextBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signals_id: Option<&'a str>,
}

/// `POST /sso/token`, in the order in which the SDK for Node writes it.
#[derive(Serialize)]
pub(crate) struct SsoTokenBody<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) grant_type: &'static str,
    pub(crate) code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code_verifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret: Option<&'a str>,
}

/// RFC 6749 §6.
#[derive(Serialize)]
pub(crate) struct RefreshTokenBody<'a> {
    pub(crate) refresh_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) organization_id: Option<&'a str>,
    #[serde(flatten)]
    pub(crate) context: ContextBody<'a>,
}

#[derive(Serialize)]
pub(crate) struct PasswordBody<'a> {
    pub(crate) email: &'a str,
    pub(crate) password: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invitation_token: Option<&'a str>,
    #[serde(flatten)]
    pub(crate) context: ContextBody<'a>,
    #[serde(flatten)]
    pub(crate) radar: RadarBody<'a>,
}

#[derive(Serialize)]
pub(crate) struct MagicAuthBody<'a> {
    pub(crate) code: &'a str,
    pub(crate) email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invitation_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link_authorization_code: Option<&'a str>,
    #[serde(flatten)]
    pub(crate) context: ContextBody<'a>,
    #[serde(flatten)]
    pub(crate) radar: RadarBody<'a>,
}

/// What WorkOS Radar knows about this visit.
#[derive(Serialize)]
pub(crate) struct RadarBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) radar_auth_attempt_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signals_id: Option<&'a str>,
}

/// Any body, and where the user's request came from.
#[derive(Serialize)]
pub(crate) struct WithContext<'a, B> {
    #[serde(flatten)]
    pub(crate) body: B,
    #[serde(flatten)]
    pub(crate) context: ContextBody<'a>,
}

/// `POST /user_management/users/{id}/auth_factors`
#[derive(Serialize)]
pub(crate) struct EnrollBody<'a> {
    pub(crate) r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) totp_issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) totp_user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) totp_secret: Option<&'a str>,
}

/// `POST /user_management/radar_challenges`
#[derive(Serialize)]
pub(crate) struct RadarSmsSendBody<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) pending_authentication_token: &'a str,
    pub(crate) phone_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ip_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_agent: Option<&'a str>,
}

/// A body of a few strings, secret or not.
pub(crate) struct Fields<'a, const N: usize>(pub(crate) [(&'static str, &'a str); N]);

impl<const N: usize> Serialize for Fields<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}

/// A body without fields.
#[derive(Serialize)]
pub(crate) struct EmptyBody {}

/// RFC 8628 §3.4.
#[derive(Serialize)]
pub(crate) struct DeviceCodeBody<'a> {
    pub(crate) device_code: &'a str,
}

/// RFC 8628 §3.1.
#[derive(Serialize)]
pub(crate) struct DeviceAuthorizationBody<'a> {
    pub(crate) client_id: &'a str,
}

/// Where the user's request came from.
#[derive(Serialize)]
pub(crate) struct ContextBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ip_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device_id: Option<&'a str>,
}

/// Exposes a secret. The text must go into a body, a seal or a hash at once, and must not be kept.
pub(crate) fn text(secret: &impl ExposeSecret<str>) -> &str {
    secret.expose_secret()
}

/// Writes a secret as a field of a body; for `#[serde(serialize_with)]`.
pub(crate) fn secret<S: Serializer>(secret: &impl ExposeSecret<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text(secret))
}

/// Clones a refresh token. It is single-use, so it has no `Clone`: a second owner could exchange it a second time. A copy is
/// allowed for sessions, because all their exchanges go through the refresh table, which sends one for all owners.
pub(crate) fn clone_refresh_token(token: &RefreshToken) -> RefreshToken {
    RefreshToken::new(token.expose_secret())
}

/// Clones the handle of a session. It signs a user in, so it has no `Clone`. A copy is allowed for a task that goes on when its
/// caller is cancelled.
pub(crate) fn clone_session_handle(handle: &SessionHandle) -> SessionHandle {
    SessionHandle::new(handle.expose_secret())
}

/// Whether two secrets are equal; compared in constant time.
pub(crate) fn same(one: &impl ExposeSecret<str>, other: &impl ExposeSecret<str>) -> bool {
    one.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()).into()
}

/// A body, wiped when the last handle on it is dropped.
pub(crate) fn body(value: &impl Serialize) -> Result<Bytes, Error> {
    let mut buffer = WipedBytes::with_capacity(USUAL_BODY_BYTES);
    serde_json::to_writer(&mut buffer, value).map_err(|_| Error::invalid_value("body", "can't be written as JSON"))?;
    Ok(buffer.into_bytes())
}

/// The form that asks for a token of a machine (RFC 6749 §4.4.2), with its secret in the body (§2.3.1). No scope is no field.
pub(crate) fn client_credentials(client_id: &ClientId, secret: &MachineSecret, scope: &str) -> Bytes {
    let fields = [
        Field::Plain("grant_type", "client_credentials"),
        Field::Plain("client_id", client_id.as_str()),
        Field::Encoded("client_secret", secret.expose_secret()),
        Field::Encoded("scope", scope),
    ];
    let fields = &fields[..if scope.is_empty() { 3 } else { 4 }];
    let mut form = String::with_capacity(fields.iter().map(|field| field.length() + 1).sum());
    for field in fields {
        if !form.is_empty() {
            form.push('&');
        }
        field.write(&mut form);
    }
    WipedBytes::from(form.into_bytes()).into_bytes()
}

/// A field of a query or a form. Most have only characters that a query keeps, and need no encoding.
#[derive(Clone, Copy)]
enum Field<'a> {
    Plain(&'a str, &'a str),
    Encoded(&'a str, &'a str),
}

impl<'a> Field<'a> {
    fn name(self) -> &'a str {
        match self {
            Self::Plain(name, _) | Self::Encoded(name, _) => name,
        }
    }

    fn length(self) -> usize {
        let kept = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_' | b' ');
        let encoded = |text: &str| text.bytes().map(|byte| if kept(&byte) { 1 } else { 3 }).sum::<usize>();
        match self {
            Self::Plain(name, value) => name.len() + value.len() + 1,
            Self::Encoded(name, value) => encoded(name) + encoded(value) + 1,
        }
    }

    fn write(self, url: &mut String) {
        match self {
            Self::Plain(name, value) => url.extend([name, "=", value]),
            Self::Encoded(name, value) => {
                url.extend(form_urlencoded::byte_serialize(name.as_bytes()));
                url.push('=');
                url.extend(form_urlencoded::byte_serialize(value.as_bytes()));
            }
        }
    }
}

/// A URL: its beginning, and the fields as its query. The string has its exact size from the start: one that grows or shrinks leaves
/// copies in memory.
fn with_query(beginning: [&str; 2], fields: &[Field<'_>]) -> String {
    let fields_length: usize = fields.iter().map(|field| field.length() + 1).sum();
    let mut url = String::with_capacity(beginning[0].len() + beginning[1].len() + fields_length);
    url.extend(beginning);
    let mut separator = '?';
    for field in fields {
        url.push(separator);
        field.write(&mut url);
        separator = '&';
    }
    url
}

/// `Authorization: Bearer …` (RFC 6750 §2.1).
pub(crate) fn bearer(token: &impl ExposeSecret<str>) -> Result<HeaderValue, Error> {
    bearer_header(token.expose_secret())
        .ok_or_else(|| Error::invalid_value("access_token", "must be visible ASCII without spaces"))
}

/// A verifier (RFC 7636 §4.1) and a state (RFC 6749 §10.12): each of 32 random bytes, as 43 characters.
pub(crate) fn random_login(random: &dyn Random) -> Result<(CodeVerifier, State), Error> {
    let mut bytes = Zeroizing::new([0; 64]);
    random.fill(bytes.as_mut())?;
    let (verifier, state) = bytes.split_at(32);
    Ok((CodeVerifier::new(BASE64URL.encode(verifier)), State::new(BASE64URL.encode(state))))
}

/// A random state (RFC 6749 §10.12), also used as the handle of a stored login.
pub(crate) fn random_state(random: &dyn Random) -> Result<State, Error> {
    random_text(random).map(State::new)
}

pub(crate) fn random_handle(random: &dyn Random) -> Result<SessionHandle, Error> {
    random_text(random).map(SessionHandle::new)
}

/// 16 random bytes, to identify the owner of a lock, or a login.
pub(crate) fn random_name(random: &dyn Random) -> Result<String, Error> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    Ok(BASE64URL.encode(bytes))
}

/// What a store sees of a handle.
pub(crate) fn sha256_hex(text: &str) -> String {
    hex(&sha256(text))
}

/// SHA-256 of a secret. The library wipes the state of its hash function, which has a copy of what is hashed.
pub(crate) fn sha256(text: &str) -> [u8; 32] {
    bytes_of(digest::digest(&SHA256, text.as_bytes()))
}

/// SHA-256 of several texts, one after the other.
pub(crate) fn sha256_of<const N: usize>(texts: [&str; N]) -> [u8; 32] {
    bytes_of(digest::digest(&SHA256, &WipedBytes::joined(texts)))
}

fn bytes_of(digest: Digest) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

/// Bytes in hexadecimal, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn random_text(random: &dyn Random) -> Result<String, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(bytes.as_mut())?;
    Ok(BASE64URL.encode(bytes.as_ref()))
}

/// `S256` (RFC 7636 §4.2).
fn code_challenge(verifier: &CodeVerifier) -> String {
    BASE64URL.encode(sha256(verifier.expose_secret()))
}

/// The parameters of an authorization URL that are set. The others are absent from the URL.
#[derive(Default)]
pub(crate) struct Parameters {
    pub(crate) pairs: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    pub(crate) invitation_token: Option<InvitationToken>,
    pub(crate) return_path: Option<ReturnPath>,
    /// Whether the endpoint is `/sso/authorize`.
    pub(crate) sso: bool,
    /// The error of the first refused value.
    problem: Option<Error>,
}

impl Parameters {
    pub(crate) fn set(
        &mut self,
        field: &'static str,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) {
        let (name, value) = (name.into(), value.into());
        if value.is_empty() {
            self.refuse(field, "must not be empty");
        } else {
            self.pairs.retain(|(other, _)| *other != name);
            self.pairs.push((name, value));
        }
    }

    fn refuse(&mut self, field: &'static str, reason: &'static str) {
        self.problem.get_or_insert_with(|| Error::invalid_value(field, reason));
    }

    pub(crate) fn set_provider_scopes<S: AsRef<str>>(&mut self, scopes: impl IntoIterator<Item = S>) {
        let mut joined = String::new();
        for scope in scopes {
            let scope = scope.as_ref();
            if scope.is_empty() || scope.contains([',', ' ']) {
                self.refuse("provider_scopes", "must be scopes without commas and spaces, and none may be empty");
            }
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(scope);
        }
        self.set("provider_scopes", "provider_scopes", joined);
    }

    pub(crate) fn set_provider_query_param(&mut self, key: &str, value: impl Into<String>) {
        if key.is_empty() || key.contains(['[', ']']) {
            self.refuse("provider_query_params", "must have a key without brackets");
        }
        self.set("provider_query_params", format!("provider_query_params[{key}]"), value.into());
    }

    /// The parameters, unless one was refused.
    pub(crate) fn checked(mut self) -> Result<Self, Error> {
        match self.problem.take() {
            Some(problem) => Err(problem),
            None => Ok(self),
        }
    }
}

/// The authorization URL (RFC 6749 §4.1.1), its parameters sorted by name.
pub(crate) fn authorization_url(
    base_url: &BaseUrl,
    client_id: &ClientId,
    redirect_uri: &RedirectUri,
    state: &State,
    verifier: Option<&CodeVerifier>,
    parameters: &Parameters,
) -> AuthorizationUrl {
    let challenge = verifier.map(code_challenge);
    let mut fields = Vec::with_capacity(7 + parameters.pairs.len());
    fields.push(Field::Plain("client_id", client_id.as_str()));
    if let Some(challenge) = &challenge {
        fields.extend([Field::Plain("code_challenge", challenge), Field::Plain("code_challenge_method", "S256")]);
    }
    let invitation = parameters.invitation_token.as_ref();
    fields.extend(invitation.map(|token| Field::Encoded("invitation_token", token.expose_secret())));
    fields.extend(parameters.pairs.iter().map(|(name, value)| Field::Encoded(name, value)));
    fields.extend([
        Field::Plain("redirect_uri", redirect_uri.encoded()),
        Field::Plain("response_type", "code"),
        Field::Plain("state", state.expose_secret()),
    ]);
    fields.sort_unstable_by_key(|field| field.name());
    let path = if parameters.sso { SSO_AUTHORIZE } else { AUTHORIZE };
    AuthorizationUrl::new(with_query([base_url.as_str(), path], &fields))
}

/// The URL of the keys of access tokens (`GET /sso/jwks/{client_id}`, RFC 7517 §5).
pub(crate) fn jwks_url(base_url: &BaseUrl, client_id: &ClientId) -> JwksUrl {
    JwksUrl::new(format!("{}{JWKS}/{}", base_url.as_str(), client_id.as_str()))
}

/// The URL where a browser ends its session (`GET /user_management/sessions/logout`).
pub(crate) fn logout_url(base_url: &BaseUrl, session_id: &SessionId, return_to: Option<&RedirectUri>) -> LogoutUrl {
    let mut fields = vec![Field::Plain("session_id", session_id.as_str())];
    fields.extend(return_to.map(|return_to| Field::Plain("return_to", return_to.encoded())));
    LogoutUrl::new(with_query([base_url.as_str(), LOGOUT], &fields))
}
