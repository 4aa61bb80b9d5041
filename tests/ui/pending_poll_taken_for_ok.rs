//! A poll that is still pending is looked for among those that are finished.

use workos_auth::Public;
use workos_auth::login::{DeviceLogin, NotFinished};

async fn misuse(login: DeviceLogin<Public>) {
    match login.poll().await {
        Ok(NotFinished::Pending(login)) => drop(login),
        Ok(response) => println!("hello, {}", response.user.email),
        Err(error) => println!("{error}"),
    }
}

fn main() {}
