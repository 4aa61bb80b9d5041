//! A type of the application claims that it is a place to sign in.

struct Mine;

impl workos_auth::typestate::Target for Mine {}

fn main() {}
