//! The rules of the house that the compiler doesn't check, read from the sources: which modules import which, how many names the
//! crate root has, and where the text of a secret is read. And those of the documents: `house/documents.rs`.

#[path = "house/documents.rs"]
mod documents;

#[path = "house/tables.rs"]
mod tables;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

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
    let mut sources = Vec::new();
    for path in source_files() {
        let name = path.strip_prefix(&root).expect("inside src").to_string_lossy().replace('\\', "/");
        if name != "lib.rs" {
            sources.push(Source { path: name, code: code(&fs::read_to_string(path).expect("a source file")) });
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// The files of `src`, without the AuthKit for tests.
fn source_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry of a folder").path();
            if path.is_dir() && path != root.join("testing") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
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
