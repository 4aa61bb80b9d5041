//! A session belongs to the client ID that it was made with.

fn run(client: workos_auth::ApiKeyClient, response: workos_auth::AuthenticationResponse) {
    let _session = client.session(response);
}

fn main() {}
