// A foreign type claims to be credentials.
struct Mine;

impl workos_auth::Credentials for Mine {}

fn main() {}
