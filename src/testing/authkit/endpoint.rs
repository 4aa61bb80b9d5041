//! The endpoints, for faults and for counting requests.

/// Where a request goes, for [`AuthKit::inject`](super::AuthKit::inject) and [`AuthKit::requests_to`](super::AuthKit::requests_to).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// Every endpoint: a fault here is an outage of the whole service. A fault of one endpoint goes before it.
    All,
    /// `/user_management/authorize`, where a login begins in the browser.
    Authorize,
    /// `/user_management/authenticate`: every sign-in and refresh.
    Authenticate,
    /// `/user_management/authorize/device`, where a device login begins.
    DeviceAuthorization,
    /// `/sso/jwks/{client_id}`: the keys that verify access tokens.
    Jwks,
    /// `/.well-known/oauth-authorization-server`: where the keys of OAuth and M2M applications are.
    IssuerMetadata,
    /// `/oauth2/token`, where machines get their tokens.
    IssuerToken,
    /// `/oauth2/jwks`: the keys that verify the tokens of OAuth and M2M applications.
    IssuerJwks,
    /// `/user_management/sessions/logout`, which the browser visits.
    Logout,
    /// `/user_management/sessions/revoke`
    RevokeSession,
    /// `/user_management/users`: the list, and creation.
    Users,
    /// `/user_management/users/{id}` and below: one user, their sessions, factors and addresses.
    User,
    /// `/user_management/organization_memberships` and below.
    Memberships,
    /// `/user_management/invitations` and below.
    Invitations,
    /// `/user_management/email_verification` and below.
    EmailVerification,
    /// `/user_management/password_reset` and below.
    PasswordReset,
    /// `/user_management/magic_auth` and below.
    MagicAuth,
    /// `/user_management/radar_challenges` and below.
    RadarChallenges,
    /// `/auth/factors` and `/auth/challenges`, and below.
    Factors,
    /// `/api_keys/validations`, where a customer's API key is validated.
    ApiKeyValidation,
    /// `/api_keys/{id}`, and the API keys of organizations and users.
    ApiKeys,
    /// `/sso/authorize`, where a login with SSO begins in the browser.
    SsoAuthorize,
    /// `/sso/token`
    SsoToken,
    /// `/sso/profile`
    SsoProfile,
    /// The forms of the AuthKit's own pages: the sign-in and the approval of a device.
    Pages,
}

impl Endpoint {
    /// The endpoint of a path, if there is one.
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path.split('/').skip(1).collect::<Vec<_>>().as_slice() {
            ["user_management", rest @ ..] => match rest {
                ["authorize"] => Self::Authorize,
                ["authorize", "device"] => Self::DeviceAuthorization,
                ["authenticate"] => Self::Authenticate,
                ["sessions", "logout"] => Self::Logout,
                ["sessions", "revoke"] => Self::RevokeSession,
                ["users"] => Self::Users,
                ["users", _, "api_keys"] => Self::ApiKeys,
                ["users", ..] => Self::User,
                ["organization_memberships", ..] => Self::Memberships,
                ["invitations", ..] => Self::Invitations,
                ["email_verification", ..] => Self::EmailVerification,
                ["password_reset", ..] => Self::PasswordReset,
                ["magic_auth", ..] => Self::MagicAuth,
                ["radar_challenges", ..] => Self::RadarChallenges,
                _ => return None,
            },
            ["auth", ..] => Self::Factors,
            ["api_keys", "validations"] => Self::ApiKeyValidation,
            ["api_keys", ..] | ["organizations", _, "api_keys"] => Self::ApiKeys,
            ["sso", "jwks", _] => Self::Jwks,
            [".well-known", "oauth-authorization-server"] => Self::IssuerMetadata,
            ["oauth2", "jwks"] => Self::IssuerJwks,
            ["oauth2", "token"] => Self::IssuerToken,
            ["sso", "authorize"] => Self::SsoAuthorize,
            ["sso", "token"] => Self::SsoToken,
            ["sso", "profile"] => Self::SsoProfile,
            ["sign-in" | "device"] => Self::Pages,
            _ => return None,
        })
    }
}
