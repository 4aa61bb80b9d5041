//! A type of the application claims that it holds an API key.

struct Mine;

impl workos_auth::typestate::HasApiKey for Mine {}

fn main() {}
