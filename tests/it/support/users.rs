//! Two users of one machine.

use std::path::Path;
use std::process::Command;

use super::{Outcome, process};

pub(crate) const NOBODY: u32 = 65_534;
const SHARED: &str = "WORKOS_AUTH_SHARED_DIRECTORY";

/// Runs a test twice: as the superuser, who prepares a directory that everybody may write to, and then, in a process of its own,
/// as a user who works in it.
pub(crate) fn superuser_and_nobody(
    test: &str,
    prepare: impl FnOnce(&Path) -> Outcome,
    work: impl FnOnce(&Path) -> Outcome,
) -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    if let Some(directory) = std::env::var_os(SHARED) {
        return work(directory.as_ref());
    }
    if !is_superuser() {
        println!("{test} needs two users, and so the superuser: it was not run");
        return Ok(());
    }
    let directory = std::env::temp_dir().join(format!("workos-auth-{test}-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o1777))?;
    let outcome = prepare(&directory).and_then(|()| {
        process::run(test, |command| {
            command.env(SHARED, &directory).uid(NOBODY).gid(NOBODY).current_dir("/");
        })
    });
    std::fs::remove_dir_all(&directory)?;
    outcome
}

pub(crate) fn is_superuser() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn pipe(path: &Path) -> Outcome {
    if Command::new("mkfifo").arg(path).status()?.success() { Ok(()) } else { Err("mkfifo failed".into()) }
}

/// What a call says that must not wait for anything.
pub(crate) fn at_once<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(call()));
    answer.recv_timeout(std::time::Duration::from_secs(5)).expect("it waits for something")
}
