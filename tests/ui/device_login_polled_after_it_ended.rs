//! A device login is polled after it has ended.

use workos_auth::Public;
use workos_auth::login::DeviceLogin;

async fn misuse(login: DeviceLogin<Public>) {
    let _ = login.wait().await;
    let _ = login.poll().await;
}

fn main() {}
