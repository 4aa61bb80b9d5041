//! What the tables of the guides say, compared with the sources and the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A cell of a table in Markdown; `\|` is no border.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
    row.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// The texts in backticks.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The files of `docs`, with their text.
fn guides() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let files = fs::read_dir(folder).expect("docs").map(|file| file.expect("an entry").path());
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.map(|file| (file.display().to_string(), fs::read_to_string(&file).expect("a guide"))).collect()
}

/// Where a guide has a column `tests/ui` or `test`, each name there is a misuse or a test that exists: `it::login::name`.
#[test]
fn each_misuse_and_test_that_a_guide_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut missing, mut seen) = (Vec::new(), 0);
    for (guide, text) in guides() {
        let (mut head, mut before) = (Vec::new(), "");
        for line in text.lines() {
            if line.starts_with("| ---") {
                head = cells(before);
            } else if line.starts_with('|') {
                for (column, cell) in head.iter().zip(cells(line)) {
                    let is_named = |name: &&str| column == "`tests/ui`" || column == "test" && name.contains("::");
                    for name in named(&cell).filter(is_named) {
                        seen += 1;
                        let exists = if column == "test" {
                            test_exists(root, name)
                        } else {
                            root.join(format!("tests/ui/{name}.rs")).exists()
                        };
                        missing.extend((!exists).then(|| format!("{guide}: {name}")));
                    }
                }
            } else {
                head.clear();
            }
            before = line;
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(seen >= 50, "the tables were not found: {seen}");
}

/// `it::login::name` is a function or a case in `tests/it/login.rs` or in a file of `tests/it/login/`.
fn test_exists(root: &Path, name: &str) -> bool {
    let parts = name.split("::").collect::<Vec<_>>();
    let Some((name, path)) = parts.split_last() else { return false };
    let place = path.iter().fold(root.join("tests"), |place, part| place.join(part));
    let inside = fs::read_dir(&place).into_iter().flatten().filter_map(|file| Some(file.ok()?.path()));
    let files = inside.chain([place.with_extension("rs")]);
    let mut texts = files.filter_map(|file| fs::read_to_string(file).ok());
    texts.any(|text| text.contains(&format!("fn {name}(")) || text.contains(&format!("\"{name}\"")))
}

/// Each `Type::name` in a guide, where `Type` is one of ours, names a function, a variant or a constant.
#[test]
fn each_name_in_a_guide_exists() {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let (mut types, mut names) = (BTreeSet::new(), BTreeSet::new());
    for line in texts_of_sources().iter().flat_map(|text| text.lines()) {
        let line = line.trim_start();
        for kind in ["struct ", "enum ", "trait ", "type "] {
            types.extend(line.strip_prefix("pub ").and_then(|line| line.strip_prefix(kind)).map(word));
        }
        let declared = ["fn ", "const "].iter().find_map(|kind| Some(line.split_once(kind)?.1));
        let variant = line.starts_with(|c: char| c.is_ascii_uppercase()).then_some(line);
        names.extend(declared.or(variant).map(word));
    }
    let (mut missing, mut seen) = (Vec::new(), 0);
    for (guide, text) in guides() {
        let prose = text.split("```").step_by(2).collect::<Vec<_>>().concat();
        for text in prose.lines().flat_map(named) {
            let Some((of, rest)) = text.split_once("::") else { continue };
            let name = word(rest);
            if types.contains(of) && !name.is_empty() {
                seen += 1;
                missing.extend((!names.contains(&name)).then(|| format!("{guide}: {of}::{name}")));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(seen >= 60, "the names were not found: {seen}");
}

/// A file of the package.
fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|_| panic!("no {path}"))
}

/// The texts of all sources, as they are.
fn texts_of_sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut texts) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry of a folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(path).expect("a source file"));
            }
        }
    }
    texts
}

/// The rows of the tables in a guide whose first column has this head.
fn rows(guide: &str, head: &str) -> Vec<Vec<String>> {
    let lines = guide.lines().collect::<Vec<_>>();
    let is_head = |line: &str| line.starts_with('|') && cells(line).first().is_some_and(|cell| cell == head);
    let tables = lines.iter().enumerate().filter(|(_, line)| is_head(line));
    let rows = tables.flat_map(|(at, _)| lines[at + 2..].iter().take_while(|line| line.starts_with('|')));
    rows.map(|row| cells(row)).collect()
}

/// The first of what two sets don't share, for a message.
fn compare(in_sources: BTreeSet<String>, in_guide: Vec<String>, guide: &str) {
    let written = in_guide.iter().cloned().collect::<BTreeSet<_>>();
    let missing = in_sources.difference(&written).collect::<Vec<_>>();
    let stale = written.difference(&in_sources).collect::<Vec<_>>();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "{guide} has no row for {missing:#?}, and a stale one for {stale:#?}"
    );
    assert_eq!(written.len(), in_guide.len(), "{guide} has a row twice");
}

/// `docs/errors.md` has each variant of `ErrorKind`, and says of each without a reply whether it is transient.
#[test]
fn each_kind_of_error_is_in_the_guide() {
    let source = file("src/error/mod.rs");
    let body = |start: &str| {
        let body = &source[source.find(start).unwrap_or_else(|| panic!("no {start}"))..];
        body[..body.find("\n}").or_else(|| body.find("\n    }")).unwrap_or(body.len())].to_owned()
    };
    let variants = body("pub enum ErrorKind {");
    let variants = variants.lines().filter_map(|line| line.strip_prefix("    "));
    let name = |line: &str| line.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    let variants = variants.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase())).map(name);
    let variants = variants.collect::<BTreeSet<_>>();
    assert!(variants.len() >= 30, "{variants:?}");
    let guide = rows(&file("docs/errors.md"), "kind");
    let kind = |row: &[String]| row[0].trim_matches('`').to_owned();
    compare(variants, guide.iter().map(|row| kind(row)).collect(), "docs/errors.md");

    let transient = body("pub fn is_transient(&self)");
    let transient = transient[..transient.find("is_store_failure").expect("the stores")].split("ErrorKind::").skip(1);
    let transient = transient.map(name).collect::<BTreeSet<_>>();
    let yes = guide.iter().filter(|row| row[4] == "yes").map(|row| kind(row));
    compare(transient, yes.collect(), "the column \"transient\" of docs/errors.md");
}

#[test]
fn each_code_in_the_guide_exists() {
    let codes = file("src/error/codes.rs");
    let guide = rows(&file("docs/errors.md"), "code");
    let unknown = guide.iter().flat_map(|row| named(&row[0])).filter(|code| !codes.contains(&format!("\"{code}\"")));
    assert_eq!(unknown.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(guide.len() >= 10);
}

/// `docs/errors.md` has each message of `#[diagnostic::on_unimplemented]`.
#[test]
fn each_message_of_the_compiler_is_in_the_guide() {
    let texts = texts_of_sources();
    let hints = texts.iter().flat_map(|text| text.split("on_unimplemented(").skip(1));
    let message = |hint: &str| {
        let text = hint.trim_start().strip_prefix("message = \"")?;
        Some(text[..text.find("\",\n")?].replace("{Self}", "T").replace("\\\"", "\""))
    };
    let messages = hints.map(|hint| message(hint).unwrap_or_else(|| panic!("no message in {hint:.80}")));
    let messages = messages.collect::<BTreeSet<_>>();
    assert!(messages.len() >= 25, "{messages:?}");
    let guide = rows(&file("docs/errors.md"), "message").into_iter().map(|row| row[0].clone());
    compare(messages, guide.collect(), "docs/errors.md");
}

/// `docs/operations.md` has each span and event, with its level and its fields.
#[test]
fn each_span_and_event_is_in_the_guide() {
    let texts = texts_of_sources();
    let mut found = BTreeSet::new();
    for text in &texts {
        for (at, _) in text.match_indices("tracing::") {
            let rest = &text[at + "tracing::".len()..];
            let Some((name, arguments)) = rest.split_once("!(") else { continue };
            let level = name.trim_end_matches("_span");
            if !["trace", "debug", "info", "warn", "error"].contains(&level) {
                continue;
            }
            let end = arguments.find(");").unwrap_or_else(|| panic!("no end of {rest:.60}"));
            let (texts, fields): (Vec<_>, Vec<_>) = arguments[..end]
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .partition(|part| part.starts_with('"'));
            let fields = fields.iter().map(|field| field.split('=').next().unwrap_or_default().trim());
            let fields = fields.map(|field| format!("`{}`", field.trim_start_matches(['%', '?']))).collect::<Vec<_>>();
            let kind = if name.ends_with("_span") { "span" } else { "event" };
            found.insert(format!("{} | {kind} | {level} | {}", texts.concat().trim_matches('"'), fields.join(", ")));
        }
        assert!(!text.contains("#[instrument") && !text.contains("use tracing::{"), "the spans can't be read");
    }
    assert!(found.len() >= 3, "{found:?}");
    let guide = rows(&file("docs/operations.md"), "name").into_iter();
    let guide = guide.map(|row| format!("{} | {} | {} | {}", row[0].trim_matches('`'), row[1], row[2], row[3]));
    compare(found, guide.collect(), "docs/operations.md");
}

/// Each default that `docs/operations.md` names, with the constant that it comes from.
const DEFAULTS: [(&str, &str, &str, &str); 18] = [
    ("making a connection", "10 s", "transport/mod.rs", "DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10)"),
    ("one attempt", "30 s", "client.rs", "DEFAULT_TIMEOUT: Duration = Duration::from_secs(30)"),
    ("retries", "3,", "transport/retry.rs", "DEFAULT_RETRIES: u32 = 3"),
    ("retries", "250 ms", "transport/retry.rs", "BACKOFF_BASE: Duration = Duration::from_millis(250)"),
    ("retries", "to 8 s", "transport/retry.rs", "BACKOFF_CAP: Duration = Duration::from_secs(8)"),
    ("retries", "up to 60 s", "transport/retry.rs", "RETRY_AFTER_CAP: Duration = Duration::from_secs(60)"),
    ("an answer about a session", "10 s", "session/checks.rs", "ANSWER_WITHIN: Duration = Duration::from_secs(10)"),
    ("a refresh ahead of expiry", "30 s", "session/checks.rs", "REFRESH_AHEAD: Duration = Duration::from_secs(30)"),
    ("a check waits for keys", "10 s", "token/jws.rs", "DEFAULT_KEYS_TIMEOUT: Duration = Duration::from_secs(10)"),
    ("a call of a store", "5 s", "session/manager/stored.rs", "STORE_TIMEOUT: Duration = Duration::from_secs(5)"),
    (
        "a session in a store",
        "30 days",
        "session/manager/mod.rs",
        "SESSION_LIFETIME: Duration = Duration::from_secs(30 * 86_400)",
    ),
    ("a customer's API key is validated", "25 requests", "api/key_validator.rs", "DEFAULT_RATE: u32 = 25"),
    ("a customer's API key is validated", "50 at once", "api/key_validator.rs", "DEFAULT_BURST: u32 = 50"),
    (
        "a customer's API key is remembered",
        "30 s at most",
        "api/key_validator.rs",
        "MAX_VALID_FOR: Duration = Duration::from_secs(30)",
    ),
    (
        "a customer's API key is remembered",
        "an invalid one 5 s",
        "api/key_validator.rs",
        "MAX_INVALID_FOR: Duration = Duration::from_secs(5)",
    ),
    ("keys that a validator knows", "8,192", "api/key_validator.rs", "DEFAULT_CAPACITY: usize = 8_192"),
    (
        "a machine's token is replaced",
        "30 s",
        "connect/machine.rs",
        "REFRESH_AHEAD: Duration = Duration::from_secs(30)",
    ),
    ("a parked login", "10 minutes", "login/parking/mod.rs", "DEFAULT_LIFETIME: Duration = Duration::from_secs(600)"),
];

#[test]
fn each_default_in_the_guide_is_the_one_in_the_sources() {
    let guide = rows(&file("docs/operations.md"), "what");
    for (what, default, source, constant) in DEFAULTS {
        let row = guide.iter().find(|row| row[0] == what).unwrap_or_else(|| panic!("no row {what}"));
        assert!(row[1].contains(default), "{what}: {}", row[1]);
        assert!(file(&format!("src/{source}")).contains(constant), "{what}: another default in src/{source}");
    }
}
