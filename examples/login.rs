//! A login from the command line, end to end: authorization URL, browser, loopback redirect, code exchange, refresh.
//!
//! Without `WORKOS_CLIENT_ID` it signs in to an AuthKit inside this process. With it (and `WORKOS_API_KEY` for a
//! confidential client) it signs you in to the real service; `http://127.0.0.1:PORT/callback` must be one of the
//! environment's redirect URIs.
//!
//! ```text
//! cargo run --example login -- [--no-browser] [--port PORT]
//! ```

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::future::ready;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use workos_auth::session::{SessionUpdate, SessionVersion};
use workos_auth::testing::{AuthKit, Browser};
use workos_auth::typestate::HasClientId;
use workos_auth::{
    Client, ConfidentialClient, ExposeSecret, LoopbackListener, PublicClient, RefreshToken, User, VerifiedToken,
};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("The login failed: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let options = Options::parse(env::args().skip(1))?;
    let given = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    if !given("WORKOS_CLIENT_ID") {
        println!("WORKOS_CLIENT_ID is not set: signing in to an AuthKit inside this process.\n");
        let authkit = AuthKit::start().await?;
        let client = authkit.public_client();
        return login(&client, &options, Visitor::Simulated).await;
    }
    let visitor = if options.no_browser { Visitor::Elsewhere } else { Visitor::Browser };
    if given("WORKOS_API_KEY") {
        login(&ConfidentialClient::from_env()?, &options, visitor).await
    } else {
        login(&PublicClient::from_env()?, &options, visitor).await
    }
}

/// The whole login, for both kinds of client.
async fn login<K: HasClientId>(client: &Client<K>, options: &Options, visitor: Visitor) -> Result<()> {
    let listener = LoopbackListener::bind_to(([127, 0, 0, 1], options.port), "/callback").await?;
    let session = client.authorize(listener.redirect_uri().clone()).authkit().begin()?;

    println!("Open       {}", session.url().as_str());
    visitor.go(session.url().as_str().to_owned());

    let response = listener.wait(session).await?.send().await?;
    println!("Signed in  {} ({})", name(&response.user), response.user.id);

    let verifier = client.verifier();
    let token = RefreshToken::new(response.refresh_token.expose_secret());
    let session = client.session(response);
    let row: Row = Arc::new(Mutex::new(Some((session.version(), token))));
    let session = session.check(&verifier).await?;
    println!("Session    {}", describe(session.token()));

    // The old tokens are used up, so the new ones are kept before they are used.
    let session = session.refresh().keep(move |update| ready(Ok::<_, Infallible>(write(&row, update)))).await?;
    println!("Refreshed  {}", describe(session.check(&verifier).await?.token()));
    Ok(())
}

/// One row of the application's own table. A real one has the whole session, such as a seal of it: see `examples/own_sessions`.
type Row = Arc<Mutex<Option<(SessionVersion, RefreshToken)>>>;

/// As `UPDATE … WHERE version = ?` and `DELETE … WHERE version = ?` do. Says whether there was such a row.
fn write<K>(row: &Row, update: SessionUpdate<K>) -> bool {
    let mut row = row.lock().unwrap_or_else(PoisonError::into_inner);
    let is_there = row.as_ref().is_some_and(|(version, _)| *version == update.replaces);
    if is_there {
        *row = update.session.map(|session| (session.version(), session.into_unverified_parts().refresh_token));
    }
    is_there
}

/// The session's ID and when its access token expires.
fn describe(token: &VerifiedToken) -> String {
    let left: SignedDuration = token.expires_at().duration_since(Timestamp::now());
    format!("{}\nExpires    {} (in {} s)", token.session_id(), token.expires_at(), left.as_secs())
}

fn name(user: &User) -> String {
    match (&user.first_name, &user.last_name) {
        (Some(first), Some(last)) => format!("{first} {last} <{}>", user.email),
        _ => user.email.clone(),
    }
}

struct Options {
    no_browser: bool,
    port: u16,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self { no_browser: false, port: 0 };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--no-browser" => options.no_browser = true,
                "--port" => options.port = arguments.next().ok_or("--port takes a number")?.parse()?,
                _ => return Err("usage: login [--no-browser] [--port PORT]".into()),
            }
        }
        Ok(options)
    }
}

/// Who opens the authorization URL.
#[derive(Clone, Copy)]
enum Visitor {
    /// The test user of the AuthKit in this process.
    Simulated,
    /// The system's browser.
    Browser,
    /// The user, who copies the printed address.
    Elsewhere,
}

impl Visitor {
    fn go(self, url: String) {
        match self {
            Self::Simulated => {
                tokio::spawn(async move {
                    if let Err(error) = simulate(&url).await {
                        eprintln!("The simulated browser failed: {error}");
                    }
                });
            }
            Self::Browser if has_display() && open::that_detached(&url).is_ok() => {}
            Self::Browser | Self::Elsewhere => println!("           (open this address in a browser)"),
        }
    }
}

async fn simulate(url: &str) -> Result<()> {
    let browser = Browser::new()?;
    let callback = browser.sign_in(url, "ada@example.com").await?;
    browser.visit(&callback).await?;
    Ok(())
}

fn has_display() -> bool {
    let unix_desktop = env::var_os("DISPLAY").is_some() || env::var_os("WAYLAND_DISPLAY").is_some();
    unix_desktop || cfg!(any(target_os = "macos", target_os = "windows"))
}
