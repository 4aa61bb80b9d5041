//! A type of the application claims that it signs a user in.

struct Mine;

impl workos_auth::typestate::Flow for Mine {}

fn main() {}
