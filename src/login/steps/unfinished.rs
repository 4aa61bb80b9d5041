//! Logins that go on in a way that this release doesn't model, or that can't go on.

use super::{Pending, redacted};
use crate::client::Client;
use crate::error::ErrorCode;
use crate::secret::{PendingAuthenticationToken, ServerMessage};

/// A login that goes on in a way that this release doesn't model: its code, its message and its token.
#[must_use = "the login is not finished"]
pub struct UnfinishedLogin<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<ServerMessage>,
}

impl<K> UnfinishedLogin<K> {
    /// The code of the step that it needs.
    #[must_use]
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// The API's own message; see [`ApiError::message`](crate::error::ApiError::message).
    #[must_use]
    pub fn message(&self) -> Option<&ServerMessage> {
        self.message.as_ref()
    }

    /// The client that began the login.
    #[must_use]
    pub fn client(&self) -> &Client<K> {
        &self.pending.caller.client
    }

    /// Takes out the token that continues the login.
    #[must_use]
    pub fn into_pending_authentication_token(self) -> PendingAuthenticationToken {
        self.pending.token
    }
}

/// A login that can't go on in this way: the application or the user must change something first.
pub struct BlockedLogin<K> {
    pub(crate) client: Client<K>,
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<ServerMessage>,
}

impl<K> BlockedLogin<K> {
    /// The code of the problem.
    #[must_use]
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// The API's own message; see [`ApiError::message`](crate::error::ApiError::message).
    #[must_use]
    pub fn message(&self) -> Option<&ServerMessage> {
        self.message.as_ref()
    }

    /// The client that began the login, to begin another one.
    #[must_use]
    pub fn client(&self) -> &Client<K> {
        &self.client
    }
}

redacted! {
    UnfinishedLogin { code };
    BlockedLogin { code };
}
