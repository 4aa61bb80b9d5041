//! Tests that run as the only one of a process.

use std::process::Command;

use super::Outcome;

const ALONE: &str = "WORKOS_AUTH_TEST_ALONE";

/// Runs a test again in a process of its own, for what other tests of this process would disturb. `false` says that this is
/// that process.
pub(crate) fn passed_alone(test: &str) -> Outcome<bool> {
    if std::env::var_os(ALONE).is_some() {
        return Ok(false);
    }
    run(test, |command| {
        command.env(ALONE, "1");
    })?;
    Ok(true)
}

/// Runs one test of this program in a process that is prepared by the caller. It must be there and pass.
pub(crate) fn run(test: &str, prepare: impl FnOnce(&mut Command)) -> Outcome {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--exact", test, "--nocapture"]);
    prepare(&mut command);
    let output = command.output()?;
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() && said.contains("1 passed") {
        Ok(())
    } else {
        Err(format!("{}: {said}{complained}", output.status).into())
    }
}
