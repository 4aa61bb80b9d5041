//! A handler for any caller forgets those who come with an API key.

use workos_auth::caller::Caller;

fn posts(caller: Caller) -> String {
    match caller {
        Caller::User(user) => user.user().email.clone(),
        Caller::Token(token) => format!("{:?}", token.subject()),
    }
}

fn main() {}
