//! A command line whose user stays signed in from one command to the next.
//!
//! ```text
//! export WORKOS_CLIENT_ID=client_…
//! cargo run -p cli_session -- login
//! cargo run -p cli_session -- whoami
//! ```
//!
//! `http://127.0.0.1:PORT/callback` must be one of the environment's redirect URIs. `--help` says the rest.

mod login;
mod output;
mod store;

use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use workos_auth::session::{SwitchError, TokenSession};
use workos_auth::{Error, OrganizationId, PublicClient};

use crate::output::{Answer, Problem, Shown, say, stdout_is_a_terminal};
use crate::store::{Choice, Place, Store, Stores};

/// How long a command waits silently for a new token to be written, and how long after it has said so.
const SHORT_WAIT: Duration = Duration::from_secs(1);
const LONG_WAIT: Duration = Duration::from_secs(30);
const NOT_KEPT: &str =
    "The new token is lost, so you may have to sign in again: remove the cause, and run `cli_session login`.";

const MORE: &str = "\
Where you stay signed in:
  A refresh token is kept in the keyring of the operating system. Where there is none, such as on a server that
  is reached over SSH, it is kept in a file that only you can read. A keyring that is locked or fails is an error:
  no token moves to a file because of that. So is a keyring that you signed in with, where it can't be reached.
  `--store` chooses one of the two, and `login` says which it is.

Exit codes:
  0    done; for `whoami`: somebody is signed in
  1    it failed, and trying again doesn't help before the cause is removed
  2    the command line can't be understood
  3    nobody is signed in: run `cli_session login`
  4    nobody can tell at the moment, such as without a network: try again later
  130  interrupted by Ctrl-C

With --json, a command writes one JSON object in one line to the standard output, also when it fails. Its `status`
is `signed_in`, `signed_out`, `not_signed_in` (exit code 3), `try_again` (4), `failed` (1) or `interrupted` (130).
  signed_in   `user` (`id`, `email`, `name`), `organization_id`, `session_id`, `store` (`keyring` or `file`), and
              `access_token` with `token` only
  signed_out  `logout_url`, which ends the session in the browser, too
  others      `message`, for people: its text may change
Names may be added, and none is taken away. What people must do meanwhile, such as the address to open, goes to the
standard error, with and without --json. `--help`, `--version`, `completions` and a command line that can't be
understood (exit code 2) write no JSON. Whoever reads the output may stop reading it.

Environment:
  WORKOS_CLIENT_ID (needed), WORKOS_BASE_URL, HTTPS_PROXY, NO_COLOR, and those of the options";

/// Signs you in with WorkOS, and keeps you signed in.
#[derive(Debug, Parser)]
#[command(name = "cli_session", version, after_long_help = MORE, after_help = "`--help` says more: stores, exit codes, JSON.")]
struct Arguments {
    /// One JSON object on the standard output, for scripts.
    #[arg(long, global = true)]
    json: bool,
    /// Where the refresh token is kept: the keyring if this machine has one, unless given.
    #[arg(long, global = true, value_enum, env = "CLI_SESSION_STORE", hide_env_values = true)]
    store: Option<Choice>,
    /// The file for the refresh token, and beside it the lock.
    #[arg(long, global = true, value_name = "PATH", env = "CLI_SESSION_FILE", hide_env_values = true)]
    file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Signs in with the browser of this machine, or with another device.
    Login {
        /// Shows a code to type on another device, such as a telephone.
        #[arg(long)]
        device: bool,
        /// Shows the address, and opens no browser. It must be opened on this machine.
        #[arg(long, conflicts_with = "device")]
        no_browser: bool,
    },
    /// Says who is signed in.
    Whoami,
    /// Changes to another organization of the user.
    Switch {
        /// Its ID (`org_…`).
        organization: OrganizationId,
    },
    /// Writes an access token for a script. Whoever has it is the user, for some minutes.
    ///
    /// It isn't written to a terminal, which shows and records it: `TOKEN=$(cli_session token)`. No other command writes a token.
    Token,
    /// Signs out, and removes what was kept.
    Logout,
    /// Writes the completions of a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[tokio::main(worker_threads = 1)]
async fn main() {
    output::respect_dumb_terminals();
    let arguments = Arguments::parse();
    let json = arguments.json;
    // On a thread of its own, so that Ctrl-C works whatever blocks.
    let mut work = tokio::spawn(run(arguments));
    let mut asked_before = false;
    let answer = loop {
        tokio::select! {
            answer = &mut work => break answer.unwrap_or_else(|_| Problem::new("the command broke off").into()),
            Ok(()) = tokio::signal::ctrl_c() => {
                if asked_before || login::is_waiting_for_the_user() {
                    work.abort();
                    // What it has shown is cleared away.
                    drop((&mut work).await);
                    break Answer::Interrupted;
                }
                // A token that is being exchanged is kept before the process ends.
                asked_before = true;
                say("Finishing. Ctrl-C again ends it at once.");
            }
        }
    };
    // At once: a keyring that waits for its user is not waited for.
    std::process::exit(answer.give(json))
}

async fn run(arguments: Arguments) -> Answer {
    let done = match arguments.command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "cli_session", &mut script);
            return Answer::Script(script);
        }
        Command::Token if stdout_is_a_terminal() => Err(Problem::new("an access token isn't written to a terminal")
            .advised("Use it in a script, such as `TOKEN=$(cli_session token)`.")),
        command => with_session(command, arguments.file, arguments.store).await,
    };
    done.unwrap_or_else(Answer::from)
}

async fn with_session(command: Command, file: Option<PathBuf>, choice: Option<Choice>) -> Result<Answer, Problem> {
    let client = PublicClient::from_env()?;
    let stores = Stores::new(&client, file)?;
    if let Command::Logout = command {
        let mut url = None;
        for store in stores.all(choice).await? {
            let ended = TokenSession::new(client.clone(), store).sign_out(None).await?;
            url = url.or(ended);
        }
        return Ok(Answer::SignedOut(url.map(|url| url.to_string())));
    }
    let store = stores.open(choice).await?;
    let place = store.place();
    let session = TokenSession::new(client.clone(), store);
    let answer = answer(&client, &session, place, command).await;
    // This process may have the only copy of a new token.
    if session.clone().finish_within(SHORT_WAIT).await.is_err() {
        say("Waiting until a new token is kept. Ctrl-C twice gives it up.");
        session.finish_within(LONG_WAIT).await.map_err(|error| Problem::from(error).advised(NOT_KEPT))?;
    }
    answer
}

async fn answer(
    client: &PublicClient,
    session: &TokenSession<Store>,
    place: Place,
    command: Command,
) -> Result<Answer, Problem> {
    Ok(match command {
        Command::Login { device, no_browser } => {
            let response = if device {
                login::on_another_device(client).await?
            } else {
                login::in_the_browser(client, !no_browser).await?
            };
            session.sign_in(response).await.map_err(Error::from)?;
            say(&format!("The token that keeps you signed in is in {place}."));
            Answer::of(session.authenticate().await, place, Shown::Greeting)
        }
        Command::Switch { organization } => match session.switch_organization(organization).await {
            Ok(signed_in) => Answer::SignedIn(signed_in, place, Shown::User),
            Err(SwitchError::Kept(error)) => return Err(error.into()),
            Err(SwitchError::SignedOut(_)) => Answer::NotSignedIn,
        },
        Command::Token => Answer::of(session.authenticate().await, place, Shown::Token),
        _ => Answer::of(session.authenticate().await, place, Shown::User),
    })
}
