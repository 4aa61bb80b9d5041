//! The rules of the house that the compiler doesn't check, read from the sources: which modules import which, how many names the
//! crate root has, and where the text of a secret is read. And those of the documents: `house/documents.rs`.

#[path = "house/documents.rs"]
mod documents;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

/// Errors hold redacted secrets, and a secret that can't be made is an error.
const MAY_IMPORT_EACH_OTHER: [&str; 2] = ["error", "secret"];

/// Those of a first login and session. Everything else is in a public module by subject.
const NAMES_AT_THE_ROOT: usize = 45;

/// The files that read the text of a secret, with the reason.
const EXPOSES_SECRETS: [(&str, &str); 3] = [
    ("login/parking/store.rs", "a login's handle is a `State` and exposes the text of that"),
    ("secret.rs", "the types themselves: exposing, comparing, and checking a value when it is made"),
    ("wire.rs", "what goes to WorkOS or into a cookie is written here"),
];

/// A file of `src`, by its path there.
struct Source {
    path: String,
    code: String,
}

impl Source {
    /// The module of the crate root that the file belongs to.
    fn module(&self) -> &str {
        self.path.split_once('/').map_or(self.path.trim_end_matches(".rs"), |(folder, _)| folder)
    }

    /// Whether this file is a module of the crate root, so that its `super` is the root.
    fn is_module(&self) -> bool {
        !self.path.trim_end_matches("/mod.rs").contains('/')
    }

    fn at(&self, offset: usize) -> String {
        let before = &self.code[..offset];
        let line = self.code.lines().nth(before.matches('\n').count()).unwrap_or_default();
        format!("src/{}:{}: {}", self.path, before.matches('\n').count() + 1, line.trim())
    }
}

/// What the crate consists of for its users: without the front page, and without the AuthKit for tests, which may import everything.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry of a folder").path();
            let name = path.strip_prefix(&root).expect("inside src").to_string_lossy().replace('\\', "/");
            if path.is_dir() && name != "testing" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "lib.rs" {
                sources.push(Source { path: name, code: code(&fs::read_to_string(path).expect("a source file")) });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// The code of a file, with its lines where they were: comments, texts and what is compiled for tests only are blanks.
fn code(source: &str) -> String {
    let mut code = without_texts(source);
    while let Some(start) = code.find("#[cfg(test)]").or_else(|| code.find("#[cfg(all(test")) {
        let length = item(&code[start..]);
        let blank: String = code[start..start + length].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        code.replace_range(start..start + length, &blank);
    }
    code
}

/// The length of the item that a text begins with: up to its last brace, or its semicolon.
fn item(text: &str) -> usize {
    let mut depth = 0;
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(byte, b'}' | b';') {
            return offset + 1;
        }
    }
    text.len()
}

fn without_texts(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = not_code(rest);
        let taken = if length == 0 { first.len_utf8() } else { length };
        let lines = rest[..taken].chars().map(|c| if length == 0 || c == '\n' { c } else { ' ' });
        code.extend(lines);
        rest = &rest[taken..];
    }
    code
}

/// The length of the comment, text or character that `rest` begins with.
fn not_code(rest: &str) -> usize {
    let through =
        |start: usize, end: &str| rest[start..].find(end).map_or(rest.len(), |found| start + found + end.len());
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        through(2, "*/")
    } else if rest.starts_with("r\"") {
        through(2, "\"")
    } else if rest.starts_with("r#\"") {
        through(3, "\"#")
    } else if let Some(text) = rest.strip_prefix('"') {
        let mut escaped = false;
        let end = text.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        end.map_or(rest.len(), |end| end + 2)
    } else if let Some(character) = ["'\"'", "'\\\"'", "'{'", "'}'", "';'"].iter().find(|one| rest.starts_with(**one)) {
        character.len()
    } else {
        0
    }
}

/// What a path or a tree of imports begins with: `crate::a::b` is `a`, `crate::{a::b, c}` is `a` and `c`.
fn first_names(after_crate: &str) -> Vec<&str> {
    let name = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let Some(tree) = after_crate.strip_prefix('{') else {
        return vec![&after_crate[..name(after_crate)]];
    };
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (offset, character) in tree.char_indices() {
        match character {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                let one = tree[start..offset].trim();
                names.extend((!one.is_empty()).then(|| &one[..name(one)]));
                start = offset + 1;
                if character == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

/// Which module imports which, each with one place where it does.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

fn imports(sources: &[Source]) -> Imports {
    let mut imports: Imports = sources.iter().map(|source| (source.module().to_owned(), BTreeMap::new())).collect();
    for source in sources {
        for (offset, path) in source.code.match_indices("crate::") {
            for name in first_names(&source.code[offset + path.len()..]) {
                assert!(
                    name == "testing" || imports.contains_key(name),
                    "{}\n`crate::{name}` isn't a module of its own in src/: write the module that defines it, so that imports show",
                    source.at(offset)
                );
                if name != source.module() && name != "testing" {
                    let edges = imports.get_mut(source.module()).expect("a module");
                    edges.entry(name.to_owned()).or_insert_with(|| source.at(offset));
                }
            }
        }
        for (offset, path) in source.code.match_indices("super::") {
            for name in first_names(&source.code[offset + path.len()..]) {
                assert!(
                    name != "super" && !(source.is_module() && imports.contains_key(name)),
                    "{}\nwrite `crate::…` instead, so that imports show",
                    source.at(offset)
                );
            }
        }
    }
    imports
}

/// The shortest way from one module to another along the imports.
fn way<'a>(imports: &'a Imports, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::from([from]);
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        if last == to {
            return Some(way);
        }
        for next in imports[last].keys().filter(|next| seen.insert(next.as_str())) {
            ways.push_back([&way[..], &[next.as_str()]].concat());
        }
    }
    None
}

#[test]
fn modules_do_not_import_each_other_in_a_cycle() {
    let imports = imports(&sources());
    let edges = imports.iter().flat_map(|(module, edges)| edges.keys().map(move |next| (module, next)));
    let cycles = edges.filter_map(|(module, next)| way(&imports, next, module));
    let forbidden = cycles.filter(|cycle| BTreeSet::from_iter(cycle) != BTreeSet::from_iter(&MAY_IMPORT_EACH_OTHER));
    let Some(cycle) = forbidden.min_by_key(Vec::len) else { return };
    let froms = cycle.iter().cycle().skip(cycle.len() - 1);
    let steps = froms.zip(&cycle).map(|(from, to)| format!("  {from} imports {to}: {}\n", imports[*from][*to]));
    panic!(
        "modules import each other in a cycle:\n{}\
         Imports point downwards only. Move the shared item into the lower of the modules, or what needs both into the upper one.",
        steps.collect::<String>()
    );
}

#[test]
fn the_root_has_few_names() {
    let root = code(include_str!("../src/lib.rs"));
    let reexports = root.split("\npub use ").skip(1).filter_map(|reexport| reexport.split_once(';'));
    let names: Vec<_> = reexports.flat_map(|(path, _)| last_names(path)).collect();
    assert!(
        (1..=NAMES_AT_THE_ROOT).contains(&names.len()),
        "src/lib.rs exports {} names, {NAMES_AT_THE_ROOT} at most: {names:?}\n\
         A new name belongs into the public module of its subject.",
        names.len()
    );
}

/// What `pub use` exports: of `a::B` it is `B`, of `a::{B, C as D}` it is `B` and `D`.
fn last_names(path: &str) -> impl Iterator<Item = &str> {
    let list = path.split_once('{').map_or(path, |(_, list)| list.trim_end_matches('}'));
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| name.rsplit([':', ' ']).next().unwrap_or(name)).inspect(move |name| {
        assert_ne!(*name, "*", "src/lib.rs exports all of `{path}`: name what the root has");
    })
}

#[test]
fn secrets_are_exposed_where_they_are_written_out() {
    let expected: BTreeMap<_, _> = EXPOSES_SECRETS.into_iter().collect();
    let sources = sources();
    let calls = |source: &Source| {
        ["expose_secret(", "expose_secret_mut("]
            .iter()
            .flat_map(|call| source.code.match_indices(call))
            .filter(|(offset, _)| !source.code[..*offset].ends_with("fn "))
            .map(|(offset, _)| source.at(offset))
            .collect::<Vec<_>>()
    };
    for source in &sources {
        let found = calls(source);
        assert_eq!(
            !found.is_empty(),
            expected.contains_key(source.path.as_str()),
            "{}\nThe text of a secret is read in {expected:#?} only. Write a function in src/wire.rs that does what is needed, \
             and call it; remove a file from the list of tests/house.rs that exposes nothing any more.",
            found.join("\n")
        );
    }
}

#[test]
fn the_environment_is_read_in_one_file() {
    let sources = sources();
    let readers = sources.iter().filter(|source| source.code.contains("env::var")).map(|source| &source.path);
    assert_eq!(readers.collect::<Vec<_>>(), ["environment.rs"]);
}

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
                    for name in named(&cell).filter(|_| column == "`tests/ui`" || column == "test") {
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
        let declared = line.find("fn ").map(|at| &line[at + "fn ".len()..]);
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
