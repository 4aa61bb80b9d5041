//! A type of the application claims that it is credentials.

struct Mine;

impl workos_auth::typestate::Credentials for Mine {}

fn main() {}
