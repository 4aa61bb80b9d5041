//! What is in a [`StoredToken`]: the refresh token, its login, and the token it replaced.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, SealError};
use crate::secret::{RefreshToken, StoredToken};
use crate::session::state::{SignedOut, Stop};
use crate::wire;

/// A random name that tells one login from the next: an access token of an earlier login must not be used.
pub(super) type LoginId = String;

/// The content of a [`StoredToken`].
#[derive(Deserialize)]
pub(super) struct Held {
    pub(super) refresh_token: RefreshToken,
    pub(super) login: LoginId,
    pub(super) replaced: Option<Replaced>,
}

/// The token that was exchanged last, and when.
#[derive(Deserialize)]
pub(super) struct Replaced {
    pub(super) refresh_token: RefreshToken,
    pub(super) at: Timestamp,
}

#[derive(Serialize)]
struct WrittenToken<'a> {
    refresh_token: &'a str,
    login: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<WrittenReplaced<'a>>,
}

#[derive(Serialize)]
struct WrittenReplaced<'a> {
    refresh_token: &'a str,
    at: Timestamp,
}

impl Held {
    pub(super) fn write(
        token: &RefreshToken,
        login: &str,
        replaced: Option<(&RefreshToken, Timestamp)>,
    ) -> Result<StoredToken, Error> {
        let replaced = replaced.map(|(token, at)| WrittenReplaced { refresh_token: wire::text(token), at });
        let text = wire::body(&WrittenToken { refresh_token: wire::text(token), login, replaced })?;
        str::from_utf8(&text).map(StoredToken::new).map_err(|_| Error::invalid_value("refresh_token", "isn't text"))
    }

    pub(super) fn read(token: &StoredToken) -> Result<Self, Stop> {
        let unreadable = |_| Stop::SignedOut(SignedOut::unreadable(Error::seal(SealError::NotASession)));
        serde_json::from_str(wire::text(token)).map_err(unreadable)
    }
}
