//! The keyring of the tests.

use std::sync::Once;

/// No keyring runs on a build machine: this is the one that `keyring-core` ships for tests, once for the whole process.
pub(crate) fn mock() {
    static SET: Once = Once::new();
    SET.call_once(|| keyring_core::set_default_store(keyring_core::mock::Store::new().unwrap()));
}
