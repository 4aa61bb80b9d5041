//! The device code is taken out of a device login.

use workos_auth::Public;
use workos_auth::login::DeviceLogin;
use workos_auth::secret::DeviceCode;

fn misuse(login: DeviceLogin<Public>) -> DeviceCode {
    login.device_code
}

fn main() {}
