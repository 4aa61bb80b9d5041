//! Sessions of command-line and desktop applications, which keep only their refresh token.

#[cfg(feature = "files")]
mod file;
#[cfg(feature = "keyring")]
mod keyring;
#[cfg(any(feature = "files", feature = "keyring"))]
mod lock;
mod renewal;
mod session;
mod store;
mod stored;

#[cfg(feature = "files")]
pub use file::FileTokenStore;
#[cfg(feature = "keyring")]
pub use keyring::KeyringTokenStore;
pub use session::TokenSession;
pub use store::{MemoryTokenLock, MemoryTokenStore, TokenStore};
