//! The step of an e-mail address that must be verified.

use serde::{Deserialize, Serialize};

use super::ContinuesLogin;
use super::{Pending, Step, StepAnswer, answered_step, parked_step, redacted};
use crate::client::{Caller, Client};
use crate::credentials::IsConfidential;
use crate::id::EmailVerificationId;
use crate::sealed::Internal;
use crate::secret::{EmailVerificationCode, PendingAuthenticationToken};
use crate::transport::{Reply, parse};
use crate::wire;

/// The user must give the code that was sent to the e-mail address.
#[must_use = "the login is not finished: `verify(code)`"]
pub struct EmailVerification<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) email: Option<String>,
    pub(crate) id: Option<EmailVerificationId>,
}

impl<K> EmailVerification<K> {
    /// Makes the step from values that the application kept itself.
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken) -> Self
    where
        K: IsConfidential,
    {
        Self { pending: Pending::new(client, token), email: None, id: None }
    }

    /// The address that the code was sent to, if the API says.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The ID of the verification, if the API says.
    #[must_use]
    pub fn id(&self) -> Option<&EmailVerificationId> {
        self.id.as_ref()
    }

    /// Answers with the code of the e-mail.
    pub fn verify(self, code: EmailVerificationCode) -> StepAnswer<Self>
    where
        K: IsConfidential,
    {
        StepAnswer::new(self, code)
    }
}

answered_step!(EmailVerification, "email-verification:code", |step, code: EmailVerificationCode| CodeBody {
    pending_authentication_token: wire::text(&step.pending.token),
    code: wire::text(code),
});

#[derive(Serialize)]
struct CodeBody<'a> {
    pending_authentication_token: &'a str,
    code: &'a str,
}

#[derive(Default, Deserialize)]
struct EmailReply {
    email: Option<String>,
    email_verification_id: Option<EmailVerificationId>,
}

pub(super) fn read<K>(reply: &Reply, pending: Pending<K>) -> Step<K> {
    let EmailReply { email, email_verification_id } = parse(reply).unwrap_or_default();
    Step::EmailVerification(EmailVerification { pending, email, id: email_verification_id })
}

parked_step!(EmailVerification = "email_verification" { email, id });

redacted! {
    EmailVerification { id };
}
