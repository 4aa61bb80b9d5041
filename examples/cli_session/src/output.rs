//! What a command answers: for people or in JSON, and with its exit code.

use std::env;
use std::error::Error as StdError;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use workos_auth::session::SignedIn;
use workos_auth::{Error, ErrorKind, ExposeSecret, OrganizationId, SessionState};

use crate::store::Place;

/// Something failed.
#[derive(Debug)]
pub(crate) struct Problem {
    /// What happened, and below it why, one line each.
    lines: Vec<String>,
    advice: Option<&'static str>,
    try_again: bool,
    /// The kind of the operating system's error, if a store has failed.
    pub(crate) kind: Option<io::ErrorKind>,
}

/// How a command ends.
#[derive(Debug)]
pub(crate) enum Answer {
    SignedIn(SignedIn, Place, Shown),
    SignedOut(Option<String>),
    NotSignedIn,
    Problem(Problem),
    Interrupted,
    /// The completions of a shell.
    Script(Vec<u8>),
}

/// What is shown of a user who is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    User,
    Greeting,
    Token,
}

impl Problem {
    pub(crate) fn new(what: &str) -> Self {
        Self { lines: vec![what.to_owned()], advice: None, try_again: false, kind: None }
    }

    /// A failure with its causes.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        let lines = std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect();
        let kind = std::iter::successors(Some(error), |error| (*error).source())
            .find_map(|error| error.downcast_ref::<io::Error>())
            .map(io::Error::kind);
        Self { lines, advice: None, try_again: false, kind }
    }

    /// What the user can do about it, unless that is said already.
    pub(crate) fn advised(mut self, advice: &'static str) -> Self {
        self.advice.get_or_insert(advice);
        self
    }

    fn of_unknown_state(error: &Error) -> Self {
        // Somebody must repair the store first, such as the mode of a file.
        let repair = matches!(error.kind(), ErrorKind::Store) && !error.is_transient();
        Self { try_again: !repair, ..error.into() }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let advice = match error.kind() {
            ErrorKind::MissingVariable { .. } => {
                "The WorkOS dashboard shows it under \"API Keys\": export WORKOS_CLIENT_ID=client_…"
            }
            ErrorKind::NoCallback | ErrorKind::DeviceLoginExpired => {
                "Run `cli_session login` again, and sign in within some minutes."
            }
            ErrorKind::Callback(_) => "Run `cli_session login` again.",
            ErrorKind::NotSent | ErrorKind::Timeout | ErrorKind::Interrupted => "Check the network connection.",
            ErrorKind::Listener => "`cli_session login --device` needs no port on this machine.",
            _ => return Self { try_again: error.is_transient(), ..Self::of(error) },
        };
        Self { try_again: error.is_transient(), ..Self::of(error) }.advised(advice)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        (&error).into()
    }
}

/// What a failed login gives back isn't used again: each login begins with a new one.
impl<F> From<workos_auth::Rejected<F>> for Problem {
    fn from(rejected: workos_auth::Rejected<F>) -> Self {
        Error::from(rejected).into()
    }
}

impl<F: workos_auth::typestate::Flow> From<workos_auth::NotSignedIn<F>> for Problem {
    fn from(not_signed_in: workos_auth::NotSignedIn<F>) -> Self {
        Error::from(not_signed_in).into()
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Answer {
    pub(crate) fn of(state: SessionState, place: Place, shown: Shown) -> Self {
        match state {
            SessionState::Active(signed_in) => Self::SignedIn(signed_in, place, shown),
            SessionState::SignedOut(_) => Self::NotSignedIn,
            SessionState::TemporarilyUnknown(error) => Self::Problem(Problem::of_unknown_state(&error)),
        }
    }

    fn exit_code(&self) -> i32 {
        match self {
            Self::SignedIn(..) | Self::SignedOut(_) | Self::Script(_) => 0,
            Self::Problem(problem) if problem.try_again => 4,
            Self::Problem(_) => 1,
            Self::NotSignedIn => 3,
            Self::Interrupted => 130,
        }
    }
}

/// The JSON of `--json`.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Report<'a> {
    SignedIn {
        user: Person<'a>,
        organization_id: Option<&'a str>,
        session_id: &'a str,
        store: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        access_token: Option<&'a str>,
    },
    SignedOut {
        logout_url: Option<&'a str>,
    },
    NotSignedIn {
        message: &'static str,
    },
    TryAgain {
        message: String,
    },
    Failed {
        message: String,
    },
    Interrupted {
        message: &'static str,
    },
}

#[derive(Serialize)]
struct Person<'a> {
    id: &'a str,
    email: &'a str,
    name: Option<&'a str>,
}

impl<'a> Report<'a> {
    fn of(answer: &'a Answer) -> Option<Self> {
        Some(match answer {
            Answer::SignedIn(signed_in, place, shown) => {
                let user = signed_in.user();
                Self::SignedIn {
                    user: Person { id: user.id.as_str(), email: &user.email, name: user.name.as_deref() },
                    organization_id: signed_in.organization_id().map(OrganizationId::as_str),
                    session_id: signed_in.token().session_id().as_str(),
                    store: place.name(),
                    access_token: (*shown == Shown::Token).then(|| signed_in.access_token().expose_secret()),
                }
            }
            Answer::SignedOut(url) => Self::SignedOut { logout_url: url.as_deref() },
            Answer::NotSignedIn => Self::NotSignedIn { message: NOT_SIGNED_IN },
            Answer::Problem(problem) if problem.try_again => Self::TryAgain { message: problem.lines.join(": ") },
            Answer::Problem(problem) => Self::Failed { message: problem.lines.join(": ") },
            Answer::Interrupted => Self::Interrupted { message: INTERRUPTED },
            Answer::Script(_) => return None,
        })
    }
}

const NOT_SIGNED_IN: &str = "Nobody is signed in: cli_session login";
const INTERRUPTED: &str = "Interrupted";

/// A line for people, beside the answer. Its colours are left out where nobody sees them, and so is the line where nobody reads it.
pub(crate) fn say(line: &str) {
    drop(writeln!(anstream::stderr(), "{line}"));
}

impl Answer {
    /// Gives the answer, and its exit code.
    pub(crate) fn give(&self, json: bool) -> i32 {
        match self.write(json, &mut anstream::stdout()) {
            // The reader has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                say(&format!("It failed: the answer can't be written\n  because {error}"));
                1
            }
            _ => self.exit_code(),
        }
    }

    fn write(&self, json: bool, output: &mut impl Write) -> io::Result<()> {
        match Report::of(self).filter(|_| json) {
            // It has texts only, which can always be written.
            Some(report) => writeln!(output, "{}", serde_json::to_string(&report).unwrap_or_default())?,
            None => self.tell(output)?,
        }
        output.flush()
    }

    fn tell(&self, output: &mut impl Write) -> io::Result<()> {
        match self {
            Self::SignedIn(signed_in, _, Shown::Token) => {
                writeln!(output, "{}", signed_in.access_token().expose_secret())?;
            }
            Self::SignedIn(signed_in, _, shown) => {
                let greeting = if *shown == Shown::Greeting { "Signed in as " } else { "" };
                writeln!(output, "{greeting}{} ({})", signed_in.user().email, signed_in.token().user_id())?;
                if let Some(id) = signed_in.organization_id() {
                    writeln!(output, "in the organization {id}")?;
                }
            }
            Self::SignedOut(None) => writeln!(output, "Signed out.")?,
            Self::SignedOut(Some(url)) => {
                writeln!(output, "Signed out. To end the session in the browser, too, open {url}")?;
            }
            Self::Script(script) => output.write_all(script)?,
            Self::NotSignedIn => say(NOT_SIGNED_IN),
            Self::Problem(problem) => problem.tell(),
            Self::Interrupted => say(INTERRUPTED),
        }
        Ok(())
    }
}

impl Problem {
    fn tell(&self) {
        let beginning = if self.try_again { "Please try again: " } else { "It failed: " };
        for (position, line) in self.lines.iter().enumerate() {
            say(&format!("{}{line}", if position == 0 { beginning } else { "  because " }));
        }
        if let Some(advice) = self.advice {
            say(advice);
        }
    }
}

/// Whether people see the answer, and not a program.
pub(crate) fn stdout_is_a_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether people see the standard error, and it can be written over.
pub(crate) fn stderr_is_a_terminal() -> bool {
    io::stderr().is_terminal() && !is_dumb()
}

/// Such a terminal gets no colours, also where `CI` is set.
pub(crate) fn respect_dumb_terminals() {
    if is_dumb() {
        anstream::ColorChoice::Never.write_global();
    }
}

fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}
