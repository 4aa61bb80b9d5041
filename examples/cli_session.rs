//! A command line whose user stays signed in from one command to the next.
//!
//! ```text
//! WORKOS_CLIENT_ID=client_… cargo run --example cli_session -- login [--device]
//! WORKOS_CLIENT_ID=client_… cargo run --example cli_session -- whoami
//! WORKOS_CLIENT_ID=client_… cargo run --example cli_session -- logout
//! ```
//!
//! `http://127.0.0.1:PORT/callback` must be one of the environment's redirect URIs. The refresh token is kept in
//! `CLI_SESSION_FILE`, or in a file of the user's own state directory.

use std::env;
use std::error::Error;
use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use workos_auth::session::{FileTokenStore, TokenSession};
use workos_auth::{AuthenticationResponse, LoopbackListener, PublicClient, SessionState};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Nobody is signed in.
const SIGNED_OUT: u8 = 1;
/// The session's state is unknown: try again (`EX_TEMPFAIL`).
const TRY_AGAIN: u8 = 75;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Prints what went wrong and why: the cause says how to repair it.
fn complain(error: &dyn Error) {
    eprintln!("{error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because {cause}");
        source = cause.source();
    }
}

async fn run() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let client = PublicClient::from_env()?;
    let session = TokenSession::new(client.clone(), FileTokenStore::open(token_file()?)?);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["login"] => sign_in(&session, in_the_browser(&client).await?).await,
        ["login", "--device"] => sign_in(&session, on_another_device(&client).await?).await,
        ["whoami"] => Ok(who_am_i(&session).await),
        ["logout"] => {
            match session.sign_out(None).await? {
                Some(url) => println!("Signed out. To end the session in the browser, too, open {url}"),
                None => println!("Signed out."),
            }
            Ok(ExitCode::SUCCESS)
        }
        _ => Err("usage: cli_session login [--device] | whoami | logout".into()),
    }
}

async fn sign_in(session: &TokenSession<FileTokenStore>, response: AuthenticationResponse) -> Result<ExitCode> {
    let name = format!("{} ({})", response.user.email, response.user.id);
    session.sign_in(response).await?;
    println!("Signed in as {name}");
    Ok(ExitCode::SUCCESS)
}

async fn who_am_i(session: &TokenSession<FileTokenStore>) -> ExitCode {
    match session.authenticate().await {
        SessionState::Active(session) => {
            println!("{} ({})", session.user().email, session.token().user_id());
            ExitCode::SUCCESS
        }
        SessionState::SignedOut(_) => {
            eprintln!("Nobody is signed in: cli_session login");
            SIGNED_OUT.into()
        }
        SessionState::TemporarilyUnknown(error) => {
            eprint!("Please try again: ");
            complain(&error);
            TRY_AGAIN.into()
        }
    }
}

/// RFC 8252: the browser of this machine.
async fn in_the_browser(client: &PublicClient) -> Result<AuthenticationResponse> {
    let listener = LoopbackListener::bind("/callback").await?;
    let login = client.authorize(listener.redirect_uri().clone()).authkit().begin()?;
    println!("Open {}", login.url().as_str());
    if io::stdout().is_terminal() && has_display() {
        // Without a browser, the user copies the address.
        drop(open::that_detached(login.url().as_str()));
    }
    let exchange = while_waiting("Waiting for the browser", listener.wait(login)).await?;
    Ok(exchange.send().await?)
}

/// RFC 8628: any other machine.
async fn on_another_device(client: &PublicClient) -> Result<AuthenticationResponse> {
    let login = client.device_authorization().send().await?;
    println!("Open {} and type {}", login.verification_uri(), login.user_code());
    if let Some(complete) = login.verification_uri_complete() {
        println!("or  {complete}");
    }
    Ok(while_waiting("Waiting for the other device", login.wait()).await?)
}

/// Shows that something goes on, if this is a terminal.
async fn while_waiting<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if !io::stderr().is_terminal() {
        return work.await;
    }
    let mut frames = ["|", "/", "-", "\\"].iter().cycle();
    let mut beat = tokio::time::interval(Duration::from_millis(120));
    loop {
        tokio::select! {
            done = &mut work => {
                eprint!("\r\x1b[K");
                return done;
            }
            _ = beat.tick() => {
                eprint!("\r{} {what} (Ctrl-C to give up) ", frames.next().unwrap_or(&""));
                drop(io::stderr().flush());
            }
        }
    }
}

fn token_file() -> Result<PathBuf> {
    if let Some(file) = env::var_os("CLI_SESSION_FILE") {
        return Ok(file.into());
    }
    let state = env::var_os("XDG_STATE_HOME").or_else(|| env::var_os("LOCALAPPDATA")).map(PathBuf::from);
    let state = state.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")));
    Ok(state.ok_or("CLI_SESSION_FILE is not set")?.join("workos-auth-example/refresh-token"))
}

fn has_display() -> bool {
    let unix_desktop = env::var_os("DISPLAY").is_some() || env::var_os("WAYLAND_DISPLAY").is_some();
    unix_desktop || cfg!(any(target_os = "macos", target_os = "windows"))
}
