//! GNOME Keyring on a session bus of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Outcome;

pub(crate) struct Keyring {
    processes: Vec<Child>,
    address: String,
    home: PathBuf,
}

impl Keyring {
    /// An unlocked one. A tool that is missing is an error.
    pub(crate) fn start(directory: &Path) -> Outcome<Self> {
        let mut bus = Command::new("dbus-daemon");
        let mut bus = bus.args(["--session", "--nofork", "--print-address=1"]).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        BufReader::new(bus.stdout.take().ok_or("no address")?).read_line(&mut address)?;
        let home = directory.join("home");
        fs::create_dir_all(home.join("run"))?;
        let mut keyring = Self { processes: vec![bus], address: address.trim().to_owned(), home };
        let mut daemon = keyring.command("gnome-keyring-daemon");
        daemon.args(["--foreground", "--unlock", "--components=secrets"]);
        let mut daemon = daemon.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        daemon.stdin.take().ok_or("no input")?.write_all(b"the user's password")?;
        keyring.processes.insert(0, daemon);
        let patience = Instant::now() + Duration::from_secs(30);
        while !keyring.home.join(".local/share/keyrings/login.keyring").exists() {
            assert!(Instant::now() < patience, "the keyring doesn't start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(keyring)
    }

    /// A program on this bus, without a screen.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", self.home.join("run"));
        for unset in ["DISPLAY", "WAYLAND_DISPLAY", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(unset);
        }
        command
    }

    /// The same command, on this bus.
    pub(crate) fn at_hand_of(&self, mut command: Command) -> Command {
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        command
    }

    /// What another program finds of this application.
    pub(crate) fn items(&self) -> Outcome<String> {
        let found = self.command("secret-tool").args(["search", "--all", "service", "cli_session"]).output()?;
        Ok(String::from_utf8([found.stdout, found.stderr].concat())?)
    }

    pub(crate) fn lock(&self) -> Outcome {
        let locked = self
            .command("dbus-send")
            .args(["--session", "--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets"])
            .args(["org.freedesktop.Secret.Service.Lock", "array:objpath:/org/freedesktop/secrets/collection/login"])
            .output()?;
        if locked.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&locked.stderr).into()) }
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        for process in &mut self.processes {
            drop(process.kill());
            drop(process.wait());
        }
    }
}
