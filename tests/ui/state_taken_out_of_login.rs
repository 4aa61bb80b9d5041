//! The state is taken out of a login, to be compared by hand.

use workos_auth::secret::State;
use workos_auth::{PkceSession, Public};

fn misuse(session: &PkceSession<Public>) -> &State {
    session.state()
}

fn main() {}
