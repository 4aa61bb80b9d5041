//! The guides of `docs/`. Each example in them is compiled, and run where it can be.

/// A page for each file. Its links to other files, which it defines at its end, lead to their pages here: the first definition of a
/// link is the one that counts.
macro_rules! guides {
    ($($page:ident: $file:literal,)*) => {
        macro_rules! links {
            () => {
                concat!($("[", $file, "]: crate::guide::", stringify!($page), "\n",)* "\n")
            };
        }
        $(
            #[doc = links!()]
            #[doc = include_str!(concat!("../docs/", $file, ".md"))]
            pub mod $page {}
        )*
    };
}

guides! {
    choosing_a_client: "choosing-a-client",
    callers: "callers",
    command_line: "command-line",
    organizations: "organizations",
    own_sessions: "own-sessions",
    server_with_cookies: "server-with-cookies",
    server_with_store: "server-with-store",
    steps: "steps",
    testing: "testing",
    which_session: "which-session",
    dashboard: "dashboard",
    errors: "errors",
    operations: "operations",
    security: "security",
    stores: "stores",
    coming_from_node: "coming-from-node",
    coming_from_workos_crate: "coming-from-workos-crate",
    coming_from_oauth2: "coming-from-oauth2",
}
