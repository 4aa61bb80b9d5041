//! The step of a user who must choose an organization.

use serde::{Deserialize, Serialize};

use super::ContinuesLogin;
use super::{Pending, PendingUser, Step, StepAnswer, answered_step, parked_step, redacted};
use crate::client::{Caller, Client};
use crate::credentials::IsConfidential;
use crate::error::Error;
use crate::id::OrganizationId;
use crate::rejected::Rejected;
use crate::sealed::Internal;
use crate::secret::PendingAuthenticationToken;
use crate::transport::{Reply, parse};
use crate::wire;

/// An organization that the user may sign in to.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OrganizationChoice {
    /// The ID.
    pub id: OrganizationId,
    /// The name, to show to the user.
    pub name: String,
}

/// The user must choose one of several organizations.
#[must_use = "the login is not finished: `select(id)` one of the `organizations()`"]
pub struct OrganizationSelection<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) user: Option<PendingUser>,
    pub(crate) organizations: Vec<OrganizationChoice>,
}

impl<K> OrganizationSelection<K> {
    /// Makes the step from values that the application kept itself. It has no list, so
    /// answer it with [`select_unlisted`](Self::select_unlisted).
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken) -> Self
    where
        K: IsConfidential,
    {
        Self { pending: Pending::new(client, token), user: None, organizations: Vec::new() }
    }

    /// The user who signs in, if the API says.
    #[must_use]
    pub fn user(&self) -> Option<&PendingUser> {
        self.user.as_ref()
    }

    /// The organizations to choose from.
    #[must_use]
    pub fn organizations(&self) -> &[OrganizationChoice] {
        &self.organizations
    }

    /// Selects one of the listed organizations.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `organization_id` if it isn't listed; the
    /// step is returned.
    pub fn select(self, id: &OrganizationId) -> Result<StepAnswer<Self>, Rejected<Self>>
    where
        K: IsConfidential,
    {
        if self.organizations.iter().any(|choice| choice.id == *id) {
            Ok(StepAnswer::new(self, id.clone()))
        } else {
            Err(Rejected::returning(
                Error::invalid_value("organization_id", "isn't one of the organizations of this step"),
                self,
            ))
        }
    }

    /// Selects an organization that the step doesn't list; the API checks it.
    pub fn select_unlisted(self, id: OrganizationId) -> StepAnswer<Self>
    where
        K: IsConfidential,
    {
        StepAnswer::new(self, id)
    }
}

answered_step!(OrganizationSelection, "organization-selection", |step, id: OrganizationId| SelectionBody {
    pending_authentication_token: wire::text(&step.pending.token),
    organization_id: id.as_str(),
});

#[derive(Serialize)]
struct SelectionBody<'a> {
    pending_authentication_token: &'a str,
    organization_id: &'a str,
}

#[derive(Default, Deserialize)]
struct OrganizationReply {
    user: Option<PendingUser>,
    organizations: Option<Vec<OrganizationChoice>>,
}

pub(super) fn read<K>(reply: &Reply, pending: Pending<K>) -> Result<Step<K>, Pending<K>> {
    match parse(reply).unwrap_or_default() {
        OrganizationReply { organizations: Some(organizations), user } => {
            Ok(Step::OrganizationSelection(OrganizationSelection { pending, user, organizations }))
        }
        OrganizationReply { organizations: None, .. } => Err(pending),
    }
}

parked_step!(OrganizationSelection = "organization_selection" { user, organizations });

redacted! {
    OrganizationSelection { user, organizations };
}
