// The device code is taken out of a device login.
use workos_auth::{DeviceCode, DeviceLogin, Public};

fn misuse(login: DeviceLogin<Public>) -> DeviceCode {
    login.device_code
}

fn main() {}
