//! A machine begins the login of a user.

use workos_auth::RedirectUri;
use workos_auth::connect::MachineClient;

fn login(machine: MachineClient, redirect: RedirectUri) {
    let _ = machine.authorize(redirect);
}

fn main() {
    let _ = login;
}
