//! `/user_management/email_verification` and the e-mails of a user.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ApiRequest, EmailChanges, EmailVerifications};
use crate::id::{EmailAddress, EmailVerificationId, UserId};
use crate::model::User;
use crate::secret::{EmailChangeCode, EmailVerificationCode};
use crate::wire::{self, EmptyBody, Fields};

impl EmailVerifications<'_> {
    /// Gets an e-mail that verifies an address (`GET /user_management/email_verification/{id}`).
    pub fn get(&self, id: &EmailVerificationId) -> ApiRequest<VerificationEmail> {
        self.api.get(("/user_management/email_verification/{id}", id))
    }

    /// Sends an e-mail with a code to the user's address (`POST /user_management/users/{id}/email_verification/send`).
    pub fn send_email(&self, id: &UserId) -> ApiRequest<User> {
        self.api.post_for_user(("/user_management/users/{id}/email_verification/send", id), &EmptyBody {})
    }

    /// Verifies the address with that code (`POST /user_management/users/{id}/email_verification/confirm`).
    pub fn confirm(&self, id: &UserId, code: &EmailVerificationCode) -> ApiRequest<User> {
        let body = Fields([("code", wire::text(code))]);
        self.api.post_for_user(("/user_management/users/{id}/email_verification/confirm", id), &body)
    }
}

impl EmailChanges<'_> {
    /// Sends an e-mail with a code to the user's new address (`POST /user_management/users/{id}/email_change/send`).
    pub fn send_email(&self, id: &UserId, new_email: &EmailAddress) -> ApiRequest<EmailChange> {
        let body = Fields([("new_email", new_email.as_str())]);
        self.api.post(("/user_management/users/{id}/email_change/send", id), &body)
    }

    /// Changes the address with that code (`POST /user_management/users/{id}/email_change/confirm`).
    pub fn confirm(&self, id: &UserId, code: &EmailChangeCode) -> ApiRequest<User> {
        let body = Fields([("code", wire::text(code))]);
        self.api.post_for_user(("/user_management/users/{id}/email_change/confirm", id), &body)
    }
}

/// An e-mail that verifies a user's address.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct VerificationEmail {
    /// The ID.
    pub id: EmailVerificationId,
    /// The user.
    pub user_id: UserId,
    /// The address.
    pub email: String,
    /// The code, for applications that send the e-mail themselves.
    pub code: EmailVerificationCode,
    /// When the code expires.
    pub expires_at: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A change of an e-mail address that waits for its code.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EmailChange {
    /// The user, with the old address.
    pub user: User,
    /// The new address.
    pub new_email: String,
    /// When the code expires.
    pub expires_at: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
}
