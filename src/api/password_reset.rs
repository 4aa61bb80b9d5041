//! `/user_management/password_reset`

use jiff::Timestamp;
use serde::Deserialize;

use super::{ApiRequest, PasswordResets};
use crate::id::{EmailAddress, PasswordResetId, UserId};
use crate::model::User;
use crate::secret::{Password, PasswordResetToken, PasswordResetUrl};
use crate::wire::{self, Fields};

impl PasswordResets<'_> {
    /// Creates a token for the user with this address (`POST /user_management/password_reset`).
    pub fn create(&self, email: &EmailAddress) -> ApiRequest<PasswordReset> {
        self.api.post("/user_management/password_reset", &Fields([("email", email.as_str())]))
    }

    /// Gets a reset (`GET /user_management/password_reset/{id}`).
    pub fn get(&self, id: &PasswordResetId) -> ApiRequest<PasswordReset> {
        self.api.get(("/user_management/password_reset/{id}", id))
    }

    /// Sets the password that the user chose (`POST /user_management/password_reset/confirm`).
    pub fn confirm(&self, token: &PasswordResetToken, new_password: &Password) -> ApiRequest<User> {
        let body = Fields([("token", wire::text(token)), ("new_password", wire::text(new_password))]);
        self.api.post_for_user("/user_management/password_reset/confirm", &body)
    }
}

/// A password reset that waits for the user.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct PasswordReset {
    /// The ID.
    pub id: PasswordResetId,
    /// The user.
    pub user_id: UserId,
    /// The user's address.
    pub email: String,
    /// The token, for applications that send the e-mail themselves.
    #[serde(rename = "password_reset_token")]
    pub token: PasswordResetToken,
    /// The URL of the link in the e-mail.
    #[serde(rename = "password_reset_url")]
    pub url: PasswordResetUrl,
    /// When the token expires.
    pub expires_at: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
}
