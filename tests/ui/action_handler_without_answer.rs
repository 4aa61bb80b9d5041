//! A handler of Actions says neither yes nor no.

use http::{HeaderMap, Response};
use workos_auth::Error;
use workos_auth::action::{ActionError, Actions};

async fn endpoint(actions: Actions, headers: HeaderMap, body: &[u8]) -> Result<Response<String>, ActionError> {
    actions.handle(&headers, body, async |_| Ok::<_, Error>(())).await
}

fn main() {}
