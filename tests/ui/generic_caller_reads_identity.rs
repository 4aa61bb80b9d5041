//! The client's identity is read by code that is generic over clients with a client ID.

use workos_auth::typestate::HasClientId;

fn misuse<K: HasClientId>(credentials: &K) {
    let _identity = credentials.identity();
}

fn main() {}
