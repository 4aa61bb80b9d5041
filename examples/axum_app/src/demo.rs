//! The AuthKit inside this process, and the people who can sign in to it.

use workos_auth::testing::{AuthKit, AuthKitBuilder, TestUser};

/// Who can sign in, and what is special about them.
#[derive(Debug)]
pub struct Person {
    pub email: &'static str,
    pub about: &'static str,
    make: fn(TestUser) -> TestUser,
}

const PEOPLE: [Person; 4] = [
    Person {
        email: "ada@example.com",
        about: "Two organizations, and may manage the billing.",
        make: |user| {
            let user = user.name("Ada", "Lovelace").organization("org_lighthouse").organization("org_harbour");
            user.role("admin").permission("billing:manage").permission("posts:write")
        },
    },
    Person {
        email: "grace@example.com",
        about: "One organization, and may not see the billing.",
        make: |user| user.name("Grace", "Hopper").organization("org_harbour").role("member").permission("posts:write"),
    },
    Person { email: "alan@example.com", about: "No organization.", make: |user| user.name("Alan", "Turing") },
    Person {
        email: "margaret@example.com",
        about: "One organization, and a second factor.",
        make: |user| user.name("Margaret", "Hamilton").organization("org_lighthouse").role("member").totp(),
    },
];

/// An AuthKit with these people. Each one's password is `password`.
pub fn authkit() -> AuthKitBuilder {
    PEOPLE.iter().fold(AuthKit::builder(), |authkit, person| {
        authkit.user((person.make)(TestUser::new(person.email).password("password")))
    })
}

/// Who can sign in to [`authkit`].
#[must_use]
pub fn people() -> &'static [Person] {
    &PEOPLE
}
