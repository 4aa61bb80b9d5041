//! What several tests need. A program of its own that needs a file of these includes it by its path.

pub(crate) mod adapter;
pub(crate) mod application;
pub(crate) mod authority;
pub(crate) mod capture;
pub(crate) mod clients;
pub(crate) mod dice;
pub(crate) mod halfway;
#[cfg(feature = "keyring")]
pub(crate) mod keyring;
pub(crate) mod login;
#[cfg(target_os = "linux")]
pub(crate) mod memory;
pub(crate) mod pages;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod scripted;
pub(crate) mod session;
pub(crate) mod sign_out;
pub(crate) mod signer;
#[cfg(unix)]
pub(crate) mod users;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
