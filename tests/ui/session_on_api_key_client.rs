//! A client without a client ID makes a session.

fn misuse(client: workos_auth::ApiKeyClient, response: workos_auth::AuthenticationResponse) {
    let _session = client.session(response);
}

fn main() {}
