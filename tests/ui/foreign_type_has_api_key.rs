// A foreign type claims a capability.
struct Mine;

impl workos_auth::HasApiKey for Mine {}

fn main() {}
