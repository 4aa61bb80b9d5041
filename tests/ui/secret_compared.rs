//! A state is compared with `==`, which takes longer the more of it is right.

use workos_auth::secret::State;

fn misuse(given: State, expected: State) -> bool {
    given == expected
}

fn main() {}
