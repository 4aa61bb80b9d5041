//! An API key that was listed is taken for one that a request has presented.

use workos_auth::api::{ApiKeyRecord, ValidApiKey};

fn serve(_caller: &ValidApiKey) {}

fn first(listed: &[ApiKeyRecord]) {
    serve(&listed[0]);
}

fn main() {
    let _ = first;
}
