//! An AuthKit to sign in to by hand. It lists its users, and the variables with which other examples use it:
//!
//! ```text
//! cargo run --example authkit -- --port 4100
//! ```
//!
//! `WORKOS_CLIENT_ID` and `WORKOS_API_KEY`, or `--client-id` and `--api-key`, set what an application needs to know.

use std::env;
use std::error::Error as StdError;

use workos_auth::testing::{AuthKit, TestMembership, TestUser};

const PASSWORD: &str = "correct horse";

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let options = Options::read()?;
    let authkit = AuthKit::builder()
        .client_id(options.client_id)
        .api_key(options.api_key)
        .port(options.port)
        .user(
            TestUser::new("ada@example.com")
                .name("Ada", "Lovelace")
                .password(PASSWORD)
                .organization(TestMembership::new("org_lighthouse").role("admin").permission("posts:write"))
                .organization(TestMembership::new("org_harbour").role("member")),
        )
        .user(TestUser::new("grace@example.com").name("Grace", "Hopper").password(PASSWORD).totp())
        .user(TestUser::new("alan@example.com").name("Alan", "Turing").password(PASSWORD).unverified())
        .user(TestUser::new("margaret@example.com").name("Margaret", "Hamilton").password(PASSWORD).must_enroll_mfa())
        .start()
        .await?;

    println!("Users, whose password is `{PASSWORD}`:");
    for user in authkit.users() {
        println!("  {user}");
        if let Some(code) = authkit.totp_code(user.email()) {
            println!("    code of the second factor now: {code}; the page shows it too");
        }
    }
    println!("\nIn another terminal, then `cargo run --example login`:");
    println!("  export WORKOS_CLIENT_ID={}", authkit.client_id());
    println!("  export WORKOS_API_KEY={}", authkit.api_key());
    println!("  export WORKOS_BASE_URL={}", authkit.base_url());
    println!("\nStop it with Ctrl-C.");
    std::future::pending().await
}

struct Options {
    client_id: String,
    api_key: String,
    port: u16,
}

impl Options {
    fn read() -> Result<Self, Box<dyn StdError>> {
        let variable = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        let mut options = Self {
            client_id: variable("WORKOS_CLIENT_ID", "client_by_hand"),
            api_key: variable("WORKOS_API_KEY", "sk_test_by_hand"),
            port: variable("AUTHKIT_PORT", "4100").parse()?,
        };
        let mut arguments = env::args().skip(1);
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
            match option.as_str() {
                "--client-id" => options.client_id = value,
                "--api-key" => options.api_key = value,
                "--port" => options.port = value.parse()?,
                _ => return Err("the options are --client-id, --api-key and --port".into()),
            }
        }
        Ok(options)
    }
}
