//! What the sessions in a store make of events.

use std::sync::Arc;

use super::{EventData, WebhookEvent, Webhooks};
use crate::api::MembershipStatus;
use crate::error::Error;
use crate::secret::WebhookSecret;
use crate::session::{SessionManager, SessionStore};

/// # Webhooks
impl<S: SessionStore> SessionManager<S> {
    /// Verifies requests to a webhook endpoint. What was handled is remembered in the store of the sessions.
    ///
    /// `endpoint` is the endpoint's address as it is registered at WorkOS: another endpoint handles the same events once more.
    #[must_use]
    pub fn webhooks(&self, endpoint: impl AsRef<str>, secret: WebhookSecret) -> Webhooks<S> {
        Webhooks::on(self.client(), Arc::clone(self.store()), endpoint.as_ref(), secret)
    }

    /// Ends the sessions that an event is about, in the store and so in all processes at once, and says how many. A second run ends no
    /// more.
    ///
    /// | event | sessions that end |
    /// | --- | --- |
    /// | `session.revoked` | this session |
    /// | `user.deleted` | all of the user |
    /// | `organization_membership.deleted`, `.updated` to inactive | all of the user |
    /// | any other | none |
    ///
    /// An event may come late. A user who lost a membership and has one again is then signed out once more, and signs in again: neither a
    /// store nor the event knows which sessions are from before. Only the IDs and the status of an event count here: whatever else is
    /// missing in it or has another shape keeps no session from ending.
    ///
    /// A store doesn't know the organization of a session. So a user who loses one of several organizations signs in again, instead of
    /// going on with permissions of an organization that they have lost. New roles, permissions and users' data need no event: sessions
    /// have them from their next refresh on, which takes minutes at most. If that is too long, call
    /// [`sign_out_everywhere`](Self::sign_out_everywhere), as also after a
    /// [`PasswordResetSucceeded`](EventData::PasswordResetSucceeded) if users must sign in again then.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store): some sessions may still be there. Give it back to
    /// [`Webhooks::handle`], so that WorkOS sends the event again.
    pub async fn apply(&self, event: &WebhookEvent) -> Result<usize, Error> {
        match event.data() {
            EventData::SessionRevoked(session) => self.forget_session(&session.id).await,
            EventData::UserDeleted(user) => self.forget_user(&user.id).await,
            // Nobody is signed in to an organization of which they aren't a member yet.
            EventData::OrganizationMembershipDeleted(membership) if membership.status != MembershipStatus::Pending => {
                self.forget_user(&membership.user_id).await
            }
            EventData::OrganizationMembershipUpdated(membership) if membership.status == MembershipStatus::Inactive => {
                self.forget_user(&membership.user_id).await
            }
            _ => Ok(0),
        }
    }
}
