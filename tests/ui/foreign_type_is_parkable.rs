//! A type of the application claims that it can be sealed.

struct Mine;

impl workos_auth::typestate::Parkable for Mine {}

fn main() {}
