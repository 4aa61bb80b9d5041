//! An AuthKit, a user's machine, and a terminal for the commands.

pub(crate) mod keyring;

use std::error::Error as StdError;
use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use workos_auth::testing::{AuthKit, Browser, TestUser};

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn StdError + Send + Sync>>;

const PATIENCE: Duration = Duration::from_secs(60);

/// A user's machine, without a keyring.
pub(crate) struct Device {
    pub(crate) authkit: AuthKit,
    pub(crate) directory: PathBuf,
}

impl Device {
    pub(crate) async fn new() -> Outcome<Self> {
        Self::of(TestUser::new("ada@example.com")).await
    }

    pub(crate) async fn of(user: TestUser) -> Outcome<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let authkit = AuthKit::builder().user(user).start().await?;
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let directory = std::env::temp_dir().join(format!("workos-auth-cli-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory)?;
        Ok(Self { authkit, directory })
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.join("state/refresh-token")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cli_session"));
        command
            .args(arguments)
            .env("WORKOS_CLIENT_ID", self.authkit.client_id())
            .env("WORKOS_BASE_URL", self.authkit.base_url())
            .env("CLI_SESSION_FILE", self.file())
            .env("XDG_STATE_HOME", &self.directory)
            .env("TERM", "xterm-256color")
            // No session bus is there.
            .env("XDG_RUNTIME_DIR", &self.directory);
        for unset in [
            "CLICOLOR",
            "CLICOLOR_FORCE",
            "CLI_SESSION_STORE",
            "DBUS_SESSION_BUS_ADDRESS",
            "DISPLAY",
            "NO_COLOR",
            "WAYLAND_DISPLAY",
        ] {
            command.env_remove(unset);
        }
        command
    }

    /// Without a terminal, to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Outcome<Output> {
        run(self.command(arguments)).await
    }

    /// Signs Ada in, in a terminal. What it has shown comes back.
    pub(crate) async fn sign_in(&self) -> Outcome<String> {
        self.sign_in_with(self.command(&["login"])).await
    }

    pub(crate) async fn sign_in_with(&self, login: Command) -> Outcome<String> {
        let mut terminal = Terminal::start(login)?;
        let url = terminal.line_after("Open ").await?;
        let browser = Browser::new()?;
        browser.visit(&browser.sign_in(url.trim(), "ada@example.com").await?).await?;
        terminal.line_after("Signed in as ").await?;
        let (code, shown) = terminal.end().await?;
        if code == Some(0) { Ok(shown) } else { Err(shown.into()) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.directory));
    }
}

pub(crate) async fn run(mut command: Command) -> Outcome<Output> {
    command.stdin(Stdio::null());
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

/// A command in a pseudo-terminal, and what it has shown so far.
pub(crate) struct Terminal {
    child: Child,
    pieces: Receiver<String>,
    shown: String,
}

impl Terminal {
    pub(crate) fn start(mut command: Command) -> Outcome<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        tcsetwinsize(&master, Winsize { ws_row: 50, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 })?;
        let name: CString = ptsname(&master, Vec::new())?;
        let slave = || {
            let path = OsStr::from_bytes(name.as_bytes());
            OpenOptions::new().read(true).write(true).open(path).map(OwnedFd::from).map(Stdio::from)
        };
        let child = command.stdin(slave()?).stdout(slave()?).stderr(slave()?).spawn()?;
        // The command keeps what it was given open.
        drop(command);
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let (mut master, mut buffer, mut rest) = (File::from(master), [0; 4096], Vec::new());
            // Reading fails when the last one on the other side is gone.
            while let Ok(count @ 1..) = master.read(&mut buffer) {
                rest.extend_from_slice(&buffer[..count]);
                // A character may come in two pieces.
                let whole = rest.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
                let piece = String::from_utf8_lossy(&rest[..whole]).into_owned();
                rest.drain(..whole);
                if sender.send(piece).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, pieces, shown: String::new() })
    }

    /// What people read: without the escape codes.
    fn text(&mut self) -> String {
        self.shown.extend(self.pieces.try_iter());
        strip_str(&self.shown).to_string()
    }

    /// Waits until what is shown holds a text, and gives what comes after it, up to the end of its line.
    pub(crate) async fn line_after(&mut self, text: &str) -> Outcome<String> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let shown = self.text();
            let rest = shown.split_once(text).and_then(|(_, rest)| rest.split_once("\r\n"));
            if let Some((line, _)) = rest {
                return Ok(line.to_owned());
            }
            if Instant::now() > patience {
                return Err(format!("{text:?} did not come: {shown}").into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The line of progress is written over and over, and never ends.
    pub(crate) async fn line_after_progress(&mut self, text: &str) -> Outcome {
        let patience = Instant::now() + PATIENCE;
        while self.text().matches(text).count() < 3 {
            if Instant::now() > patience {
                return Err(format!("no progress: {}", self.shown).into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// What Ctrl-C does.
    pub(crate) fn interrupt(&self) -> Outcome {
        Ok(kill_process(Pid::from_child(&self.child), Signal::INT)?)
    }

    /// The exit code, and everything that was shown, with its escape codes.
    pub(crate) async fn end(mut self) -> Outcome<(Option<i32>, String)> {
        let patience = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > patience => return Err(format!("it goes on: {}", self.shown).into()),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        while let Ok(piece) = self.pieces.recv_timeout(Duration::from_secs(1)) {
            self.shown.push_str(&piece);
        }
        Ok((status.code(), self.shown.clone()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
