//! A type of the application claims that it is a step.

struct Mine;

impl workos_auth::typestate::ContinuesLogin for Mine {}

fn main() {}
