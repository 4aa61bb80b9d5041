//! The command-line example in a pseudo-terminal, and eight of it at once.
#![cfg(unix)]

use std::error::Error as StdError;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use workos_auth::testing::{AuthKit, Browser, Fault, TestUser};

type Outcome<T = ()> = Result<T, Box<dyn StdError + Send + Sync>>;

const AUTHENTICATE: &str = "/user_management/authenticate";
const PATIENCE: Duration = Duration::from_secs(30);

struct Device {
    authkit: AuthKit,
    directory: PathBuf,
}

impl Device {
    async fn new() -> Outcome<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let authkit = AuthKit::builder().user(TestUser::new("ada@example.com")).start().await?;
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let directory = std::env::temp_dir().join(format!("workos-auth-cli-{}-{number}", std::process::id()));
        Ok(Self { authkit, directory })
    }

    fn file(&self) -> PathBuf {
        self.directory.join("refresh-token")
    }

    fn command(&self, arguments: &[&str]) -> Outcome<Command> {
        let binary = std::env::current_exe()?.with_file_name("").join("../examples/cli_session");
        if !binary.exists() {
            return Err("`cargo build --example cli_session` comes first".into());
        }
        let mut command = Command::new(binary);
        command
            .args(arguments)
            .env("WORKOS_CLIENT_ID", self.authkit.client_id())
            .env("WORKOS_BASE_URL", self.authkit.base_url())
            .env("CLI_SESSION_FILE", self.file())
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
        Ok(command)
    }

    /// Without a terminal, to its end.
    async fn run(&self, arguments: &[&str]) -> Outcome<Output> {
        let mut command = self.command(arguments)?;
        Ok(tokio::task::spawn_blocking(move || command.output()).await??)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.directory));
    }
}

/// A command in a pseudo-terminal, and what it has shown so far.
struct Terminal {
    child: Child,
    pieces: Receiver<String>,
    shown: String,
}

impl Terminal {
    fn start(mut command: Command) -> Outcome<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name: CString = ptsname(&master, Vec::new())?;
        let slave = || {
            let path = std::ffi::OsStr::from_bytes(name.as_bytes());
            OpenOptions::new().read(true).write(true).open(path).map(OwnedFd::from).map(Stdio::from)
        };
        let child = command.stdin(slave()?).stdout(slave()?).stderr(slave()?).spawn()?;
        // The command keeps what it was given open.
        drop(command);
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let (mut master, mut buffer) = (File::from(master), [0; 4096]);
            // Reading fails when the last one on the other side is gone.
            while let Ok(count @ 1..) = master.read(&mut buffer) {
                if sender.send(String::from_utf8_lossy(&buffer[..count]).into_owned()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, pieces, shown: String::new() })
    }

    /// Waits until what is shown holds a text, and gives what comes after it, up to the end of its line.
    async fn line_after(&mut self, text: &str) -> Outcome<String> {
        let patience = Instant::now() + PATIENCE;
        loop {
            self.shown.extend(self.pieces.try_iter());
            let rest = self.shown.split_once(text).and_then(|(_, rest)| rest.split_once("\r\n"));
            if let Some((line, _)) = rest {
                return Ok(line.to_owned());
            }
            if Instant::now() > patience {
                return Err(format!("{text:?} did not come: {}", self.shown).into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn end(mut self) -> Outcome<(bool, String)> {
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
        Ok((status.success(), self.shown.clone()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_login_in_the_browser() -> Outcome {
    let device = Device::new().await?;
    let nobody = device.run(&["whoami"]).await?;
    assert_eq!(
        (nobody.status.code(), text(&nobody.stderr).trim()),
        (Some(1), "Nobody is signed in: cli_session login")
    );

    let mut terminal = Terminal::start(device.command(&["login"])?)?;
    let url = terminal.line_after("Open ").await?;
    terminal.line_after_progress("Waiting for the browser").await?;
    let browser = Browser::new()?;
    let callback = browser.sign_in(url.trim(), "ada@example.com").await?;
    assert_eq!(browser.visit(&callback).await?.0, 200);
    let who = terminal.line_after("Signed in as ").await?;
    assert!(who.starts_with("ada@example.com (user_"), "{who}");
    let (success, shown) = terminal.end().await?;
    assert!(success, "{shown}");
    let token = fs::read_to_string(device.file())?.split('"').nth(3).ok_or("no token")?.to_owned();
    assert!(token.len() > 20 && !shown.contains(&token));
    assert!(
        ["| Waiting", "/ Waiting", "- Waiting", "\\ Waiting"].iter().filter(|frame| shown.contains(**frame)).count()
            > 1
    );

    let known = device.run(&["whoami"]).await?;
    assert_eq!((known.status.code(), text(&known.stdout).trim()), (Some(0), who.trim()));
    assert!(known.stderr.is_empty(), "no progress without a terminal: {}", text(&known.stderr));

    device.authkit.inject_for(AUTHENTICATE, Fault::Status(401, None), Duration::from_secs(3600));
    let unknown = device.run(&["whoami"]).await?;
    assert_eq!(unknown.status.code(), Some(75), "{}", text(&unknown.stderr));
    assert!(text(&unknown.stderr).starts_with("Please try again"));
    device.authkit.heal();

    let logged_out = device.run(&["logout"]).await?;
    assert!(text(&logged_out.stdout).contains("/user_management/sessions/logout?session_id=session_"));
    assert!(!device.file().exists());
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(1));
    assert_eq!(text(&device.run(&["logout"]).await?.stdout).trim(), "Signed out.");
    Ok(())
}

#[tokio::test]
async fn a_token_that_others_can_read_is_told_of() -> Outcome {
    let device = Device::new().await?;
    let mut terminal = Terminal::start(device.command(&["login"])?)?;
    let url = terminal.line_after("Open ").await?;
    let browser = Browser::new()?;
    browser.visit(&browser.sign_in(url.trim(), "ada@example.com").await?).await?;
    terminal.line_after("Signed in as ").await?;
    terminal.end().await?;

    let requests = device.authkit.requests_to(AUTHENTICATE);
    assert!(Command::new("chmod").arg("644").arg(device.file()).status()?.success());
    let refused = device.run(&["whoami"]).await?;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(75), "{said}");
    assert_eq!(device.authkit.requests_to(AUTHENTICATE), requests);
    // The advice, as it stands, in a shell.
    let advice = said.split('`').nth(1).ok_or_else(|| said.clone())?;
    assert!(Command::new("sh").args(["-c", advice]).status()?.success(), "{advice}");
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    Ok(())
}

impl Terminal {
    /// The line of progress is written over and over, and never ends.
    async fn line_after_progress(&mut self, text: &str) -> Outcome {
        let patience = Instant::now() + PATIENCE;
        while self.shown.matches(text).count() < 3 {
            if Instant::now() > patience {
                return Err(format!("no progress: {}", self.shown).into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.shown.extend(self.pieces.try_iter());
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_login_on_another_device() -> Outcome {
    let device = Device::new().await?;
    let mut terminal = Terminal::start(device.command(&["login", "--device"])?)?;
    let line = terminal.line_after("Open ").await?;
    assert!(line.contains(" and type "), "{line}");
    let complete = terminal.line_after("or  ").await?;
    terminal.line_after_progress("Waiting for the other device").await?;
    Browser::new()?.approve_device(complete.trim(), "ada@example.com").await?;
    terminal.line_after("Signed in as ada@example.com").await?;
    assert!(terminal.end().await?.0);
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));

    // A refused user is told so, and stays signed in.
    let mut terminal = Terminal::start(device.command(&["login", "--device"])?)?;
    let complete = terminal.line_after("or  ").await?;
    Browser::new()?.deny_device(complete.trim()).await?;
    let (success, shown) = terminal.end().await?;
    assert!(!success && shown.contains("access_denied"), "{shown}");
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_commands_at_once() -> Outcome {
    let device = Device::new().await?;
    let mut terminal = Terminal::start(device.command(&["login"])?)?;
    let url = terminal.line_after("Open ").await?;
    let browser = Browser::new()?;
    browser.visit(&browser.sign_in(url.trim(), "ada@example.com").await?).await?;
    terminal.line_after("Signed in as ").await?;
    terminal.end().await?;

    let before = (device.authkit.requests_to(AUTHENTICATE), device.authkit.refreshes());
    let children = (0..8)
        .map(|_| {
            let mut command = device.command(&["whoami"])?;
            Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
        })
        .collect::<Outcome<Vec<Child>>>()?;
    for child in children {
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).starts_with("ada@example.com (user_"));
    }
    let requests = device.authkit.requests_to(AUTHENTICATE) - before.0;
    let rotations = device.authkit.refreshes() - before.1;
    println!("8 commands at once: {requests} requests, {rotations} rotations");
    assert_eq!((requests, rotations), (8, 1), "one exchange, and seven replays within the window");

    // Too late for any replay: what the file holds is the last token, or the next command would be refused.
    device.authkit.advance(Duration::from_secs(31));
    let known = device.run(&["whoami"]).await?;
    assert!(known.status.success(), "{}", text(&known.stderr));
    assert_eq!(device.authkit.refreshes() - before.1, rotations + 1);
    Ok(())
}
