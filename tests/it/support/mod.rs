//! What several tests need. A program of its own that needs a file of these includes it by its path.

pub(crate) mod authority;
pub(crate) mod capture;
pub(crate) mod keyring;
#[cfg(target_os = "linux")]
pub(crate) mod memory;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod sign_out;
pub(crate) mod signer;
#[cfg(unix)]
pub(crate) mod users;
