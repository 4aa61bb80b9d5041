//! Logins that wait for a human: a browser is at AuthKit, or the user looks for a code.
//!
//! | type | for |
//! | --- | --- |
//! | [`Parking`] | a login or step as a sealed, expiring string; needs an API key |
//! | [`LoginCookies`] | the same in cookies of the user's browser, for several logins at once |
//! | [`PkceStore`] | a place that gives a login out once: [memory](MemoryPkceStore), a directory (feature `files`), the keyring (feature `keyring`), an application's own |
//! | [`LoginHandle`] | the random name of a login in such a store |

#[cfg(feature = "files")]
#[cfg_attr(docsrs, doc(cfg(feature = "files")))]
pub use crate::login::parking::DirectoryPkceStore;
#[cfg(feature = "keyring")]
#[cfg_attr(docsrs, doc(cfg(feature = "keyring")))]
pub use crate::login::parking::KeyringPkceStore;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use crate::login::parking::LoginCookies;
pub use crate::login::parking::{LoginHandle, MemoryPkceStore, Parking, PkceStore, StoredLogin};
