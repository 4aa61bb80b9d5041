//! The value of a new API key is taken a second time.

use workos_auth::api::CreatedApiKey;

fn show(created: CreatedApiKey) {
    let shown = created.into_value();
    let kept = created.into_value();
    drop((shown, kept));
}

fn main() {
    let _ = show;
}
