//! A type of the application claims that it keeps sessions.

struct Mine;

impl workos_auth::typestate::SessionLayer for Mine {}

fn main() {}
