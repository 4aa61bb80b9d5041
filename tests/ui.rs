//! Misuses that the compiler must refuse, one a file, with the message that a newcomer reads.

use std::process::Command;

/// Other releases word their own part of the messages differently.
const PINNED: &str = "rustc 1.95.";

#[test]
fn misuses_do_not_compile() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("rustc answers").stdout;
    let version = String::from_utf8_lossy(&version).into_owned();
    if !version.starts_with(PINNED) {
        assert!(std::env::var_os("CI").is_none(), "the gate needs {PINNED}x, this is {version}");
        eprintln!("SKIPPED: the messages are pinned to {PINNED}x, this is {version}");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/*.rs");
}

#[test]
fn the_readme_shows_a_real_message() {
    let shown = include_str!("../README.md").split_once("```text\n").and_then(|(_, rest)| rest.split_once("\n```"));
    let shown = shown.expect("the README shows a message").0.replace("src/main.rs", "$FILE");
    let real = include_str!("ui/public_client_calls_api_key_method.stderr");
    let real = real.replace("tests/ui/public_client_calls_api_key_method.rs", "$FILE");
    assert!(real.starts_with(&shown), "{shown}");
}
