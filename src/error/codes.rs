//! The codes that the API and authorization responses name, and the refusal that carries one.

use std::fmt;
use std::sync::Arc;

use crate::open_enum::open_enum;
use crate::secret::ServerMessage;

open_enum! {
    /// The error codes of an authorization response (RFC 6749 §4.1.2.1).
    AuthorizationErrorCode {
        AccessDenied = "access_denied",
        InvalidRequest = "invalid_request",
        InvalidScope = "invalid_scope",
        ServerError = "server_error",
        TemporarilyUnavailable = "temporarily_unavailable",
        UnauthorizedClient = "unauthorized_client",
        UnsupportedResponseType = "unsupported_response_type",
    }
}

open_enum! {
    /// The error codes of the API, including those of unfinished logins.
    ///
    /// ```
    /// use workos_auth::{Error, ErrorCode};
    ///
    /// fn message(error: &Error) -> &'static str {
    ///     match error.code() {
    ///         Some(ErrorCode::InvalidCredentials) => "The password is wrong.",
    ///         Some(ErrorCode::InvalidOneTimeCode) => "The code is wrong.",
    ///         Some(ErrorCode::TooManyRequests) => "Please wait a little.",
    ///         _ if error.is_transient() => "Please try again later.",
    ///         _ => "Please sign in again.",
    ///     }
    /// }
    ///
    /// // A code that this release doesn't know keeps its text.
    /// assert_eq!(ErrorCode::from("brand_new").as_str(), "brand_new");
    /// ```
    ErrorCode {
        AccessDenied = "access_denied",
        ApplicationConsentRequired = "application_consent_required",
        AuthenticationMethodNotAllowed = "authentication_method_not_allowed",
        AuthorizationPending = "authorization_pending",
        CodeChallengeNotFound = "code_challenge_not_found",
        DailyQuotaExceeded = "daily_quota_exceeded",
        EmailPasswordAuthDisabled = "email_password_auth_disabled",
        EmailVerificationCodeIncorrect = "email_verification_code_incorrect",
        EmailVerificationRequired = "email_verification_required",
        ExpiredToken = "expired_token",
        ExtraAttributesRequired = "extra_attributes_required",
        InvalidClient = "invalid_client",
        InvalidConnection = "invalid_connection",
        InvalidCredentials = "invalid_credentials",
        InvalidGrant = "invalid_grant",
        InvalidLinkAuthorizationCode = "invalid_link_authorization_code",
        InvalidOneTimeCode = "invalid_one_time_code",
        InvalidOrganizationId = "invalid_organization_id",
        InvalidPendingAuthenticationToken = "invalid_pending_authentication_token",
        InvalidProfile = "invalid_profile",
        InvalidRequest = "invalid_request",
        InvalidRequestParameters = "invalid_request_parameters",
        InvitationCannotBeUsedForEmail = "invitation_cannot_be_used_for_email",
        InvitationInvalid = "invitation_invalid",
        MfaChallenge = "mfa_challenge",
        MfaEnrollment = "mfa_enrollment",
        MfaVerification = "mfa_verification",
        OneTimeCodeExpired = "one_time_code_expired",
        OneTimeCodePreviouslyUsed = "one_time_code_previously_used",
        OneTimeCodeTooManyAttempts = "one_time_code_too_many_attempts",
        OrganizationAuthenticationMethodsRequired = "organization_authentication_methods_required",
        OrganizationMembershipNotFound = "organization_membership_not_found",
        OrganizationNotFound = "organization_not_found",
        OrganizationSelectionRequired = "organization_selection_required",
        PasskeyProgressiveEnrollment = "passkey_progressive_enrollment",
        PhoneNumberRequired = "phone_number_required",
        PkceNotSupported = "pkce_not_supported",
        RadarChallenge = "radar_challenge",
        RadarEmailChallenge = "radar_email_challenge",
        RadarSignUpChallenge = "radar_sign_up_challenge",
        RadarSmsChallenge = "radar_sms_challenge",
        RadarSmsSignInChallenge = "radar_sms_sign_in_challenge",
        SignUpNotAllowed = "sign_up_not_allowed",
        SlowDown = "slow_down",
        SsoRequired = "sso_required",
        TokenTooBig = "token_too_big",
        TooManyRequests = "too_many_requests",
        UnauthorizedClient = "unauthorized_client",
        UnsupportedGrantType = "unsupported_grant_type",
        UserMismatch = "user_mismatch",
        VerificationIdRequired = "verification_id_required",
    }
}

/// A code that the other side sent, if its characters are fit for a log.
pub(crate) fn plain_code(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(plain)).then_some(text)
}

/// A refusal by the API: its code, and its message, which is a secret.
#[derive(Clone)]
pub struct ApiError {
    pub(crate) code: Option<ErrorCode>,
    pub(crate) message: Option<Arc<ServerMessage>>,
}

impl ApiError {
    /// The code, if the reply had one.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        self.code.as_ref()
    }

    /// The API's own message. It may repeat what was submitted, such as a code or a token, so it is a secret: a developer may
    /// see it, a log must not.
    #[must_use]
    pub fn message(&self) -> Option<&ServerMessage> {
        self.message.as_deref()
    }
}

/// The text that follows "the API refused the request".
impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.as_ref().map_or(Ok(()), |code| write!(formatter, ": {code}"))
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiError").field("code", &self.code).finish_non_exhaustive()
    }
}
