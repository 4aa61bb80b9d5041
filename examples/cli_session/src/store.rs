//! Where the refresh token is kept: in the keyring, or in a file where there is none.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use clap::ValueEnum;
use workos_auth::PublicClient;
use workos_auth::secret::StoredToken;
use workos_auth::session::{FileTokenStore, KeyringTokenStore, TokenStore};

use crate::output::Problem;

/// The name of the application in the keyring.
const SERVICE: &str = "cli_session";

/// What `--store` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// The keyring of the operating system, and no file.
    Keyring,
    /// A file that only its owner can read.
    File,
}

/// The places where the token of one client ID may be.
#[derive(Debug)]
pub(crate) struct Stores {
    /// Each client ID has a token of its own: WorkOS would refuse it to another one, and end the session.
    account: String,
    file: PathBuf,
}

/// The place that was chosen.
#[derive(Debug)]
pub(crate) enum Store {
    Keyring(KeyringTokenStore, Trace),
    File(FileTokenStore, Place),
}

/// A file that is there while the keyring has a token, for commands that can't reach the keyring, such as those over SSH.
#[derive(Debug)]
pub(crate) struct Trace(PathBuf);

/// What people and scripts are told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Keyring,
    File { path: PathBuf, no_keyring: bool },
}

impl Stores {
    pub(crate) fn new(client: &PublicClient, file: Option<PathBuf>) -> Result<Self, Problem> {
        let account = client.client_id().as_str().to_owned();
        let file = match file {
            Some(file) => file,
            None => state_directory()?.join(&account),
        };
        Ok(Self { account, file })
    }

    /// The store of this choice; without one, the keyring, and the file only if this machine has no keyring. Somebody who is signed in
    /// with the keyring isn't told otherwise where it can't be reached.
    pub(crate) async fn open(&self, choice: Option<Choice>) -> Result<Store, Problem> {
        if choice == Some(Choice::File) {
            return self.file(false);
        }
        match self.keyring().await {
            // A keyring that is locked, or that fails, is there.
            Err(error) if choice.is_none() && is_missing(&error) => {
                if self.trace()?.is_there() && !self.file.exists() {
                    Err(out_of_reach())
                } else {
                    self.file(true)
                }
            }
            Err(error) => {
                Err(error.advised("`--store file` keeps the token in a file instead, which only you can read."))
            }
            Ok(store) => Ok(store),
        }
    }

    /// All stores that may hold a token, for a sign-out.
    pub(crate) async fn all(&self, choice: Option<Choice>) -> Result<Vec<Store>, Problem> {
        let chosen = self.open(choice).await?;
        let file = match &chosen {
            _ if choice.is_some() => None,
            Store::Keyring(..) if self.file.exists() => Some(self.file(false)?),
            Store::File(..) if self.trace()?.is_there() => return Err(out_of_reach()),
            _ => None,
        };
        Ok([chosen].into_iter().chain(file).collect())
    }

    async fn keyring(&self) -> Result<Store, Problem> {
        // One lock for one entry of the keyring, wherever the file is.
        let lock = state_directory()?.join(format!("{}.keyring-lock", self.account));
        let store = KeyringTokenStore::new(SERVICE, self.account.as_str(), lock)?;
        // Nobody is sent to a browser before the keyring has answered.
        match store.read().await {
            Ok(_) => Ok(Store::Keyring(store, self.trace()?)),
            Err(error) => Err(Problem::of(&error)),
        }
    }

    fn trace(&self) -> Result<Trace, Problem> {
        Ok(Trace(state_directory()?.join(format!("{}.in-keyring", self.account))))
    }

    fn file(&self, no_keyring: bool) -> Result<Store, Problem> {
        let place = Place::File { path: self.file.clone(), no_keyring };
        Ok(Store::File(FileTokenStore::open(&self.file)?, place))
    }
}

/// This machine has no keyring, or this login has none, such as one over SSH.
fn is_missing(problem: &Problem) -> bool {
    problem.kind == Some(io::ErrorKind::Unsupported)
}

fn out_of_reach() -> Problem {
    Problem::new("you are signed in with the keyring, which can't be reached from here")
        .advised("Run it where you signed in, such as on the desktop. With `--store file`, only the file counts.")
}

impl Trace {
    fn is_there(&self) -> bool {
        self.0.exists()
    }

    fn leave(&self) -> io::Result<()> {
        fs::write(&self.0, "")
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Store {
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Keyring(..) => Place::Keyring,
            Self::File(_, place) => place.clone(),
        }
    }
}

impl Place {
    /// Its name in JSON, and for `--store`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File { .. } => "file",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyring => formatter.write_str("the keyring"),
            Self::File { path, no_keyring } => {
                write!(formatter, "the file {}, which only you can read", path.display())?;
                formatter.write_str(if *no_keyring { " (there is no keyring here)" } else { "" })
            }
        }
    }
}

impl TokenStore for Store {
    type Lock = File;

    async fn lock(&self) -> io::Result<File> {
        match self {
            Self::Keyring(store, _) => store.lock().await,
            Self::File(store, _) => store.lock().await,
        }
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        match self {
            Self::Keyring(store, _) => store.read().await,
            Self::File(store, _) => store.read().await,
        }
    }

    async fn check_writable(&self) -> io::Result<()> {
        match self {
            Self::Keyring(store, _) => store.check_writable().await,
            Self::File(store, _) => store.check_writable().await,
        }
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        match self {
            Self::Keyring(store, trace) => {
                trace.leave()?;
                store.write(token).await
            }
            Self::File(store, _) => store.write(token).await,
        }
    }

    async fn remove(&self) -> io::Result<()> {
        match self {
            Self::Keyring(store, trace) => {
                store.remove().await?;
                trace.remove()
            }
            Self::File(store, _) => store.remove().await,
        }
    }
}

/// Where this program keeps state of this user (XDG Base Directory Specification).
fn state_directory() -> Result<PathBuf, Problem> {
    let given = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = given("XDG_STATE_HOME").or_else(|| given("LOCALAPPDATA"));
    let state = state.or_else(|| given("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("cli_session")).ok_or_else(|| {
        Problem::new("the directory of this user is unknown: HOME is not set")
            .advised("Name a file with `--store file --file PATH`.")
    })
}
