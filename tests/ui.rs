//! Misuses that the compiler must refuse, one a file, with the message that a newcomer reads; and the right flows, which it accepts.
//!
//! The library is the one that `cargo test` has built; each case is one run of rustc against it. `WORKOS_UI_ACCEPT=1` writes the
//! messages to the `.stderr` files: read them before they are committed.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Other releases word their own part of the messages differently.
const PINNED: &str = "rustc 1.95.";
/// The crates that the cases name.
const EXTERNS: [&str; 4] = ["axum", "http", "serde_json", "workos_auth"];

fn tool(variable: &str, name: &str) -> Command {
    let mut tool = Command::new(env::var_os(variable).unwrap_or_else(|| name.into()));
    tool.current_dir(ROOT);
    tool
}

/// Where the messages can't be compared, CI fails and a newcomer's test is skipped.
fn is_pinned() -> bool {
    let version = tool("RUSTC", "rustc").arg("--version").output().expect("rustc answers").stdout;
    let version = String::from_utf8_lossy(&version);
    if version.starts_with(PINNED) {
        return true;
    }
    assert!(env::var_os("CI").is_none(), "the gate needs {PINNED}x, this is {version}");
    eprintln!("SKIPPED: the messages are pinned to {PINNED}x, this is {version}");
    false
}

/// The arguments that find the library. This very `cargo test` has built it, so nothing is built here.
fn library() -> Vec<OsString> {
    let mut cargo = tool("CARGO", "cargo");
    cargo.args(["test", "--locked", "--no-run", "--test", "ui", "--message-format", "json"]);
    // …/target/debug/deps/ui-0123456789abcdef
    let target = env::current_exe().expect("a path").ancestors().nth(3).map(Path::to_owned);
    cargo.arg("--target-dir").arg(target.expect("cargo's layout"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo answers");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut arguments = Vec::new();
    for name in EXTERNS {
        let built =
            String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| built(line, name)).collect::<Vec<_>>();
        let [path] = &built[..] else { panic!("one crate of the name {name}, not {built:?}") };
        let directory = path.parent().expect("a directory");
        arguments.extend(["-L".into(), format!("dependency={}", directory.display()).into()]);
        arguments.extend(["--extern".into(), format!("{name}={}", path.display()).into()]);
    }
    arguments
}

/// The file of a library by this name, in a line of cargo's report.
fn built(line: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_library = message["target"]["kind"][0] == "lib" && message["target"]["name"] == name;
    let file = message["filenames"].as_array()?.iter().filter_map(Value::as_str).find(|file| is_a(file, "rmeta"))?;
    is_library.then(|| file.into())
}

fn is_a(file: &str, extension: &str) -> bool {
    Path::new(file).extension().is_some_and(|is| is == extension)
}

/// The messages of the compiler about one case.
fn messages(library: &[OsString], case: &str) -> String {
    let mut rustc = tool("RUSTC", "rustc");
    rustc.args(["--edition=2024", "--crate-type=bin", "--emit=metadata", "-Awarnings"]);
    rustc.args(["--error-format=json", "--diagnostic-width=140", "--out-dir", env!("CARGO_TARGET_TMPDIR"), case]);
    let output = rustc.args(library).output().expect("rustc answers");
    let report = String::from_utf8_lossy(&output.stderr);
    let diagnostics =
        report.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")));
    let errors =
        diagnostics.filter(|it| it["level"] == "error" && it["spans"].as_array().is_some_and(|it| !it.is_empty()));
    let errors = errors.map(|error| normalized(error["rendered"].as_str().expect("a text"), case)).collect::<Vec<_>>();
    assert_eq!(errors.is_empty(), output.status.success(), "{case}: {report}");
    errors.join("\n")
}

/// A message without line numbers and paths that other changes move. The column of line numbers is as wide as those that stay.
fn normalized(rendered: &str, case: &str) -> String {
    let width = rendered.lines().find_map(|line| line.find("--> ")).unwrap_or_default();
    let (mut rows, mut is_own) = (Vec::new(), true);
    for line in rendered.trim_end().lines().filter(|line| !is_about_a_file(line)) {
        let number = line.get(..width).map(str::trim).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(number) = number else {
            let is_gap = line.starts_with("...");
            is_own |= !is_gap;
            let words = || line.split_whitespace().collect::<Vec<_>>().join(" ");
            rows.push((None, if is_gap { words() } else { line.to_owned() }));
            continue;
        };
        let mut text = line[width..].to_owned();
        if let Some((arrow, place)) =
            text.split_once("--> ").or_else(|| text.split_once("::: ")).filter(|(arrow, _)| arrow.trim().is_empty())
        {
            is_own = place.starts_with(case);
            if !is_own {
                text = format!("{arrow}{}{}", &text[arrow.len()..arrow.len() + 4], shortened(place));
            }
        }
        rows.push((Some(if is_own { number } else { "" }), text));
    }
    let width = rows.iter().filter_map(|(number, _)| number.map(str::len)).max().unwrap_or_default().max(1);
    let rows =
        rows.into_iter().map(|(number, text)| number.map_or(text.clone(), |number| format!("{number:width$}{text}")));
    rows.map(|row| others(row.trim_end()) + "\n").collect()
}

/// The place of another file, whatever line it is in and wherever it lies.
fn shortened(place: &str) -> String {
    let path = place.rsplitn(3, ':').last().unwrap_or_default();
    if let Some((_, path)) = path.split_once("/registry/src/") {
        let mut parts = path.splitn(3, '/').skip(1);
        let name = parts.next().and_then(|package| package.rsplit_once('-')).map_or("", |(name, _)| name);
        return format!("$CARGO/{name}-$VERSION/{}", parts.next().unwrap_or_default());
    }
    path.strip_prefix(ROOT).map_or(path, |path| path.trim_start_matches('/')).to_owned()
}

/// The compiler writes the names of long types to a file, whose path says where the library was built.
fn is_about_a_file(line: &str) -> bool {
    [
        "= note: the full name for the type has been written to",
        "= note: consider using `--verbose` to print the full type",
    ]
    .iter()
    .any(|note| line.trim_start().starts_with(note))
}

/// How many other types implement a trait depends on the features of all dependencies.
fn others(row: &str) -> String {
    match row.trim_start().strip_prefix("and ").and_then(|rest| rest.strip_suffix(" others")) {
        Some(number) if number.parse::<u32>().is_ok() => row.replace(number, "$N"),
        _ => row.to_owned(),
    }
}

fn cases(directory: &str) -> Vec<String> {
    let files = fs::read_dir(Path::new(ROOT).join(directory)).expect("a directory");
    let names = files.map(|file| file.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut cases: Vec<_> = names.filter(|name| is_a(name, "rs")).map(|name| format!("{directory}/{name}")).collect();
    cases.sort();
    cases
}

/// The messages of each case, as many at a time as there are processors.
fn compiled(cases: &[String]) -> BTreeMap<String, String> {
    let (library, queue, done) = (library(), Mutex::new(cases.iter()), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(case) = { queue.lock().expect("no case panics").next() } {
                    let messages = messages(&library, case);
                    done.lock().expect("no case panics").insert(case.clone(), messages);
                }
            });
        }
    });
    done.into_inner().expect("no case panics")
}

#[test]
fn misuses_do_not_compile_and_right_flows_do() {
    if !is_pinned() {
        return;
    }
    let (misuses, right) = (cases("tests/ui"), cases("tests/ui/pass"));
    let mut wrong = Vec::new();
    for (case, is) in compiled(&[&misuses[..], &right].concat()) {
        let file = Path::new(ROOT).join(case.replace(".rs", ".stderr"));
        let should_be = fs::read_to_string(&file).unwrap_or_default();
        let is_misuse = misuses.contains(&case);
        if is_misuse && is.is_empty() {
            wrong.push(format!("{case} compiles"));
        } else if is.contains("[E0432]") || is.contains("[E0433]") {
            wrong.push(format!("{case} is refused for a name that doesn't exist\n{is}"));
        } else if is_misuse && env::var_os("WORKOS_UI_ACCEPT").is_some() {
            fs::write(file, is).expect("written");
        } else if is != should_be {
            wrong.push(format!("{case} should say\n{should_be}\nand says\n{is}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// `docs/guarantees.md` has a row for each misuse: what its first line says, its file, and the first line of its message.
#[test]
fn each_misuse_is_a_row_of_the_guarantees() {
    let read = |file: &str| fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_else(|_| panic!("no {file}"));
    let row = |case: String| {
        let (misuse, message) = (read(&case), read(&case.replace(".rs", ".stderr")));
        let says = misuse.lines().next().and_then(|line| line.strip_prefix("//! ")).expect("what is wrong");
        let name = case.trim_start_matches("tests/ui/").trim_end_matches(".rs");
        format!("| {says} | [`{name}`](../{case}) | {} |", message.lines().next().expect("a message"))
    };
    let should_be = cases("tests/ui").into_iter().map(row).collect::<BTreeSet<_>>();
    let page = read("docs/guarantees.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains("](../tests/ui/"));
    let rows = rows.map(str::to_owned).collect::<Vec<_>>();
    let is = rows.iter().cloned().collect();
    let (missing, wrong) = (should_be.difference(&is), is.difference(&should_be));
    assert_eq!((missing.collect::<Vec<_>>(), wrong.collect::<Vec<_>>()), (vec![], vec![]), "missing, and wrong");
    assert_eq!(rows.len(), should_be.len(), "a row is there twice");
    assert!(rows.len() >= 110, "{}", rows.len());
}

#[test]
fn the_readme_shows_a_real_message() {
    let shown = include_str!("../README.md").split_once("```text\n").and_then(|(_, rest)| rest.split_once("\n```"));
    let shown = shown.expect("the README shows a message").0.replace("src/main.rs", "$FILE");
    let real = include_str!("ui/public_client_calls_api_key_method.stderr");
    let real = real.replace("tests/ui/public_client_calls_api_key_method.rs", "$FILE");
    assert!(real.starts_with(&shown), "{shown}");
}
