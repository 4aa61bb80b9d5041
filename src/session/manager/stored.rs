//! Sessions as the store has them: each under a hash of its handle, and sealed with the handle.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::time::timeout;

use super::SessionManager;
use crate::credentials::Confidential;
use crate::envelope::{self, Purpose};
use crate::error::{Error, ParkedError, SealError};
use crate::id::{SessionId, UserId};
use crate::secret::SessionHandle;
use crate::session::cookie_format;
use crate::session::parts::{Session, SessionParts};
use crate::session::state::{SignedOut, Stop};
use crate::session::store::{SessionIndex, SessionStore, StoredSession};
use crate::token;
use crate::wire;

/// How long a call of the store may take. Attempts to write a new pair have a time limit of their own.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// The value of a session that WorkOS has ended, until its tombstone is written.
pub(super) const ENDED_VALUE: &str = "ended";

/// A session as it was loaded.
pub(super) struct Loaded {
    pub(super) version: u64,
    pub(super) session: Session<Confidential>,
}

impl<S: SessionStore> SessionManager<S> {
    pub(super) async fn load(&self, handle: &SessionHandle) -> Result<Loaded, Stop> {
        let (version, sealed) = match within_limit(self.store.load(&key(handle))).await.map_err(unavailable)? {
            None => return Err(Stop::SignedOut(SignedOut::not_found())),
            Some(StoredSession::Ended) => return Err(Stop::SignedOut(SignedOut::removed())),
            Some(StoredSession::Live { version, sealed }) => (version, sealed),
        };
        if sealed == ENDED_VALUE {
            return Err(Stop::SignedOut(SignedOut::removed()));
        }
        match self.open(handle, &sealed) {
            Ok(parts) => Ok(Loaded { version, session: Session::new(&self.client, parts) }),
            // Another process runs a newer release of the application.
            Err(error @ SealError::UnknownVersion) => Err(Stop::Unknown(Error::seal(error))),
            Err(error) => Err(Stop::SignedOut(SignedOut::unreadable(Error::seal(error)))),
        }
    }

    pub(super) fn seal(&self, handle: &SessionHandle, parts: &SessionParts) -> Result<String, Error> {
        let random = self.client.core.runtime.random.as_ref();
        let text = cookie_format::write(parts)?;
        envelope::seal(Purpose::StoredSession, wire::text(handle), &self.context(), &text, random)
    }

    fn open(&self, handle: &SessionHandle, sealed: &str) -> Result<SessionParts, SealError> {
        let opened = envelope::open(Purpose::StoredSession, wire::text(handle), &self.context(), sealed);
        let text = opened.map_err(|error| match error {
            ParkedError::UnknownVersion => SealError::UnknownVersion,
            ParkedError::WrongPassword => SealError::WrongPassword,
            ParkedError::Tampered => SealError::BadMac,
            _ => SealError::Malformed,
        })?;
        cookie_format::read(&text)
    }

    /// What the store finds a session by. The session's ID comes from the token that WorkOS gave just now, which isn't verified yet. A
    /// token whose ID can't be read is never active, so nobody looks for its session.
    pub(super) fn index(&self, key: &str, parts: &SessionParts) -> SessionIndex {
        let session_id = token::unverified_session_id(&parts.access_token);
        let session = session_id.map_or_else(|| self.hash("unnamed session", key), |id| self.session_hash(&id));
        SessionIndex::new(self.user_hash(&parts.user.id), session)
    }

    pub(super) fn user_hash(&self, id: &UserId) -> String {
        self.hash("user", id.as_str())
    }

    pub(super) fn session_hash(&self, id: &SessionId) -> String {
        self.hash("session", id.as_str())
    }

    fn hash(&self, kind: &str, value: &str) -> String {
        wire::sha256_hex(&format!("workos-auth index: {kind} {} {value}", self.context()))
    }

    /// A session can be opened only with the client ID and the API that it belongs to.
    fn context(&self) -> String {
        format!("{} {}", self.client.client_id(), self.client.base_url())
    }
}

/// The key under which the store has the session of a handle.
pub(super) fn key(handle: &SessionHandle) -> String {
    handle.key()
}

/// A call of the store that takes too long has failed.
pub(super) async fn within_limit<T>(call: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(STORE_TIMEOUT, call).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

pub(super) fn unavailable(error: io::Error) -> Stop {
    Stop::Unknown(Error::session_store(error))
}
