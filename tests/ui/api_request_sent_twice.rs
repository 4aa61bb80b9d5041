//! A call that changes something is sent twice.

use workos_auth::api::{ApiRequest, Invitation};

async fn misuse(request: ApiRequest<Invitation>) {
    let _ = request.send().await;
    let _ = request.send().await;
}

fn main() {}
