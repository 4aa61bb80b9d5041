//! A signed-in user is taken for one with a permission.

use workos_auth::SignedIn;
use workos_auth::handlers::Permitted;

struct WritePosts;

fn publish(author: Permitted<WritePosts>) {}

fn misuse(user: SignedIn) {
    publish(user);
}

fn main() {}
