//! What the API answers with.
//!
//! Identifiers are parsed, since they go into paths. E-mail addresses and telephone numbers are plain strings here: one that is
//! written in an unusual way must not fail a whole reply. In requests they are an [`EmailAddress`](crate::EmailAddress) and a
//! [`PhoneNumber`](crate::id::PhoneNumber).

mod context;
#[cfg(feature = "api")]
mod profile;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

pub use context::{RadarContext, RequestContext};
#[cfg(feature = "api")]
pub use profile::{ConnectionType, Profile, UnverifiedEmail};

use crate::id::{OrganizationId, UserId, VerificationId};
use crate::open_enum::open_enum;
use crate::secret::{AccessToken, AuthKitAuthorizationCode, ProviderAccessToken, ProviderRefreshToken, RefreshToken};

/// A finished login: the user, and the tokens of the session.
///
/// ```
/// # async fn run(
/// #     session: workos_auth::session::TokenSession<workos_auth::session::MemoryTokenStore>,
/// #     response: workos_auth::AuthenticationResponse,
/// # ) -> Result<(), workos_auth::Error> {
/// println!("Hello, {}", response.user.email);
/// // What keeps the session takes all of it:
/// session.sign_in(response).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "the tokens of the session exist only here: hand it to what keeps the session"]
#[non_exhaustive]
pub struct AuthenticationResponse {
    /// The user who signed in.
    pub user: User,
    /// The access token, a JWT signed by WorkOS. Verify it before its claims are used.
    pub access_token: AccessToken,
    /// The single-use token that is exchanged for the next token pair.
    pub refresh_token: RefreshToken,
    /// The organization that the user signed in to.
    pub organization_id: Option<OrganizationId>,
    /// How the user signed in.
    pub authentication_method: Option<AuthenticationMethod>,
    /// The administrator who impersonates the user.
    pub impersonator: Option<Impersonator>,
    /// The tokens of the OAuth provider, if the environment is configured to return them.
    pub oauth_tokens: Option<OAuthTokens>,
    /// A code that another application can exchange for its own tokens.
    pub authkit_authorization_code: Option<AuthKitAuthorizationCode>,
}

/// A user of the application.
///
/// ```
/// # fn run(user: workos_auth::User) {
/// let name = user.name.as_deref().unwrap_or(&user.email);
/// println!("Hello, {name}");
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct User {
    /// The ID (`user_…`).
    pub id: UserId,
    /// The e-mail address.
    pub email: String,
    /// Whether the address was verified.
    pub email_verified: bool,
    /// The full name.
    pub name: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// A picture of the user.
    pub profile_picture_url: Option<String>,
    /// The preferred locale, such as `en-US`.
    pub locale: Option<String>,
    /// The application's own ID for the user.
    pub external_id: Option<String>,
    /// The application's own data on the user.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// When the user last signed in.
    pub last_sign_in_at: Option<Timestamp>,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When the user was last changed.
    pub updated_at: Timestamp,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Role {
    /// The slug.
    pub slug: String,
}

/// An administrator who impersonates the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Impersonator {
    /// The administrator's e-mail address.
    pub email: String,
    /// The reason that the administrator gave.
    pub reason: Option<String>,
}

/// Tokens of the OAuth provider that the user signed in with. They aren't WorkOS tokens.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct OAuthTokens {
    /// The provider.
    pub provider: Provider,
    /// Its access token.
    pub access_token: ProviderAccessToken,
    /// Its refresh token, if it returned one.
    pub refresh_token: Option<ProviderRefreshToken>,
    /// When its access token expires.
    #[serde(default, deserialize_with = "date")]
    pub expires_at: Option<Timestamp>,
    /// The granted scopes.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub scopes: Vec<String>,
}

open_enum! {
    /// An OAuth provider that users sign in with directly.
    ///
    /// ```
    /// use workos_auth::{Provider, PublicClient, RedirectUri};
    ///
    /// # fn main() -> Result<(), workos_auth::Error> {
    /// let client = PublicClient::new("client_01HXYZ")?;
    /// let login = client.authorize(RedirectUri::new("http://127.0.0.1:0/callback")?).oauth(Provider::GitHub).begin()?;
    /// assert!(login.url().as_str().contains("provider=GitHubOAuth"));
    /// # Ok(()) }
    /// ```
    Provider {
        Apple = "AppleOAuth",
        Bitbucket = "BitbucketOAuth",
        GitHub = "GitHubOAuth",
        GitLab = "GitLabOAuth",
        Google = "GoogleOAuth",
        Intuit = "IntuitOAuth",
        LinkedIn = "LinkedInOAuth",
        Microsoft = "MicrosoftOAuth",
        Salesforce = "SalesforceOAuth",
        Slack = "SlackOAuth",
        VercelMarketplace = "VercelMarketplaceOAuth",
        Vercel = "VercelOAuth",
        Xero = "XeroOAuth",
    }
}

open_enum! {
    /// How a user signed in.
    AuthenticationMethod {
        Sso = "SSO",
        Password = "Password",
        Passkey = "Passkey",
        AppleOAuth = "AppleOAuth",
        BitbucketOAuth = "BitbucketOAuth",
        CrossAppAuth = "CrossAppAuth",
        DiscordOAuth = "DiscordOAuth",
        ExternalAuth = "ExternalAuth",
        GitHubOAuth = "GitHubOAuth",
        GitLabOAuth = "GitLabOAuth",
        GoogleOAuth = "GoogleOAuth",
        GrokOAuth = "GrokOAuth",
        XOAuth = "XOAuth",
        IntuitOAuth = "IntuitOAuth",
        LinkedInOAuth = "LinkedInOAuth",
        MicrosoftOAuth = "MicrosoftOAuth",
        SalesforceOAuth = "SalesforceOAuth",
        SlackOAuth = "SlackOAuth",
        VercelMarketplaceOAuth = "VercelMarketplaceOAuth",
        VercelOAuth = "VercelOAuth",
        XeroOAuth = "XeroOAuth",
        MagicAuth = "MagicAuth",
        Impersonation = "Impersonation",
        MigratedSession = "MigratedSession",
    }
}

open_enum! {
    /// The kind of an authentication factor.
    AuthenticationFactorType {
        GenericOtp = "generic_otp",
        Sms = "sms",
        Totp = "totp",
        WebAuthn = "webauthn",
    }
}

/// An SMS with a code, which was sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RadarSms {
    /// The ID, for [`RadarSmsCode::from_parts`](crate::step::RadarSmsCode::from_parts).
    pub verification_id: VerificationId,
    /// The telephone number.
    pub phone_number: String,
}

/// Seconds since 1970. A number that isn't a time becomes the first or the last one: it must not fail a login.
fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(seconds) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    let edge = if seconds < 0.0 { Timestamp::MIN } else { Timestamp::MAX };
    #[allow(clippy::cast_possible_truncation, reason = "what is too large becomes the largest number")]
    Ok(Some(Timestamp::from_second(seconds as i64).unwrap_or(edge)))
}

pub(crate) fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
