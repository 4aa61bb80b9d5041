//! README and `docs/`: no link is dead, each Rust block is compiled, and what is named as a proof exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// What a code block can be in. Rust that isn't compiled is not among them.
const LANGUAGES: [&str; 11] = ["rust", "rust,no_run", "sh", "text", "toml", "sql", "html", "json", "js", "ts", "yaml"];

/// A document, without its code blocks.
struct Document {
    /// From the root of the repository.
    path: String,
    prose: String,
    blocks: Vec<Block>,
}

struct Block {
    language: String,
    code: String,
}

fn documents() -> Vec<Document> {
    let folder = fs::read_dir(Path::new(ROOT).join("docs")).expect("a folder of documents");
    let names = folder.map(|entry| entry.expect("an entry of a folder").file_name().to_string_lossy().into_owned());
    let names = names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"));
    let mut paths: Vec<_> = names.map(|name| format!("docs/{name}")).collect();
    paths.push("README.md".to_owned());
    paths.extend(Path::new(ROOT).join("CONTRIBUTING.md").exists().then(|| "CONTRIBUTING.md".to_owned()));
    paths.sort();
    paths.into_iter().map(document).collect()
}

fn document(path: String) -> Document {
    let text = fs::read_to_string(Path::new(ROOT).join(&path)).expect("a document");
    let (mut prose, mut blocks, mut block) = (String::new(), Vec::new(), None::<Block>);
    for line in text.lines() {
        match (&mut block, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => block = Some(Block { language: language.to_owned(), code: String::new() }),
            (Some(_), Some("")) => blocks.extend(block.take()),
            (Some(block), _) => block.code.extend([line, "\n"]),
            (None, None) => prose.extend([line, "\n"]),
        }
    }
    assert!(block.is_none(), "{path}: a code block has no end");
    Document { path, prose, blocks }
}

/// The files that `src/guide.rs` makes pages of, by their name without `.md`, with the name of the page.
fn guides() -> BTreeMap<String, String> {
    let source = include_str!("../../src/guide.rs");
    let list = source.rsplit_once("guides! {").expect("a list of guides").1;
    let pairs = list.lines().filter_map(|line| line.trim().strip_suffix("\",")?.split_once(": \""));
    pairs.map(|(page, file)| (file.to_owned(), page.to_owned())).collect()
}

impl Document {
    /// The file without `.md`, if `src/guide.rs` makes a page of it.
    fn guide(&self) -> Option<&str> {
        let name = self.path.strip_prefix("docs/")?.strip_suffix(".md")?;
        guides().contains_key(name).then_some(name)
    }

    /// Names of links, with where they lead.
    fn definitions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.prose.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
    }

    /// Where links and pictures lead.
    fn targets(&self) -> Vec<&str> {
        let mut targets: Vec<_> = self.definitions().map(|(_, target)| target).collect();
        for (before, after) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"'), ("href=\"", '"')] {
            targets.extend(self.prose.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0)));
        }
        targets
    }

    /// The names of its headings in links, as Git hosts make them.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self
            .prose
            .lines()
            .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
        let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        headings
            .map(|heading| heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
            .collect()
    }

    /// The texts between backticks.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.prose.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
    }
}

#[test]
fn no_link_in_the_documents_is_dead() {
    let documents = documents();
    let anchors: BTreeMap<_, _> = documents.iter().map(|it| (Path::new(ROOT).join(&it.path), it.anchors())).collect();
    let mut dead = Vec::new();
    for document in &documents {
        let path = Path::new(ROOT).join(&document.path);
        for target in document.targets().into_iter().filter(|target| !target.starts_with("https://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { joined(&path, file) };
            let is_found =
                file.exists() && (anchor.is_empty() || anchors.get(&file).is_some_and(|it| it.contains(anchor)));
            dead.extend((!is_found).then(|| format!("{}: {target}", document.path)));
        }
        let defined: BTreeSet<_> = document.definitions().map(|(name, _)| name).collect();
        let used = document.prose.split("][").skip(1).filter_map(|rest| Some(rest.split_once(']')?.0));
        dead.extend(
            used.filter(|name| !defined.contains(name))
                .map(|name| format!("{}: [{name}] isn't defined", document.path)),
        );
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

/// A relative path in a file of the repository.
fn joined(file: &Path, relative: &str) -> PathBuf {
    let mut path = file.parent().expect("a folder").to_owned();
    for part in relative.split('/') {
        match part {
            ".." => assert!(path.pop(), "{relative} leaves the repository"),
            part => path.push(part),
        }
    }
    path
}

/// In the documentation of the crate, a link to a file would be dead. The page of a file has the file's name, so that its links lead to
/// pages.
#[test]
fn guides_link_to_guides_by_their_names() {
    let guides = guides();
    let mut wrong = Vec::new();
    for document in documents() {
        let Some(name) = document.guide() else { continue };
        if guides[name] != name.replace('-', "_") {
            wrong.push(format!("src/guide.rs: the page of {name}.md is {}", name.replace('-', "_")));
        }
        for (link, target) in document.definitions().filter(|(_, target)| !target.starts_with("https://")) {
            if !guides.contains_key(link) || target != format!("{link}.md") {
                wrong.push(format!(
                    "{}: write `[{link}]: {link}.md`, for a guide that src/guide.rs lists",
                    document.path
                ));
            }
        }
        let inline = document
            .prose
            .split("](")
            .skip(1)
            .filter(|target| !target.starts_with("https://") && !target.starts_with('#'));
        wrong.extend(inline.map(|it| {
            format!("{}: `[text][guide]` instead of ]({}", document.path, it.lines().next().unwrap_or_default())
        }));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_rust_block_in_the_documents_is_compiled() {
    let root = include_str!("../../src/lib.rs");
    let mut wrong = Vec::new();
    for document in documents() {
        let is_compiled =
            document.guide().is_some() || root.contains(&format!("include_str!(\"../{}\")", document.path));
        for Block { language, code } in &document.blocks {
            let first = code.lines().next().unwrap_or_default();
            if !LANGUAGES.contains(&language.as_str()) {
                wrong.push(format!("{}: a block in `{language}`: {first}", document.path));
            }
            if language.starts_with("rust") && !is_compiled {
                wrong.push(format!(
                    "{}: list the file in src/guide.rs, so that this is compiled: {first}",
                    document.path
                ));
            }
            let is_rust =
                |line: &str| ["fn ", "async fn ", "let ", "use ", "pub "].iter().any(|word| line.starts_with(word));
            // Code of another crate isn't compiled.
            if language == "text" && !document.path.starts_with("docs/coming-from-") && code.lines().any(is_rust) {
                wrong.push(format!("{}: Rust in a block of text: {first}", document.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The text of a test program, or of a module of `tests/it`.
fn tests(module: &str) -> Option<String> {
    let mut text = String::new();
    for place in ["tests", "tests/it"] {
        let path = Path::new(ROOT).join(place).join(module);
        text.push_str(&fs::read_to_string(path.with_extension("rs")).unwrap_or_default());
        let files = fs::read_dir(path).into_iter().flatten().flatten();
        text.extend(files.filter_map(|file| fs::read_to_string(file.path()).ok()));
    }
    (!text.is_empty()).then_some(text)
}

/// Tests are named as `manager::a_sign_out_does_not_wait_for_keys`, files by their path.
#[test]
fn what_the_documents_name_exists() {
    let mut missing = Vec::new();
    for document in documents() {
        for name in document.names() {
            let is_file =
                ["tests/", "examples/", "src/", "docs/", ".ci/"].iter().any(|folder| name.starts_with(folder));
            if is_file && !name.contains(['{', '*', '<', ' ', '…']) && !Path::new(ROOT).join(name).exists() {
                missing.push(format!("{}: {name}", document.path));
            }
            let is_path = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c));
            let Some((module, function)) = name.split_once("::").filter(|_| is_path) else { continue };
            let function = function.rsplit(':').next().unwrap_or(function);
            // A program without the usual harness names its cases by a text.
            if tests(module).is_some_and(|text| {
                !text.contains(&format!("fn {function}(")) && !text.contains(&format!("\"{function}\""))
            }) {
                missing.push(format!("{}: no test {name}", document.path));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Front-page types: whatever the root of the crate has.
#[test]
fn each_type_of_the_root_has_an_example() {
    let lib = include_str!("../../src/lib.rs");
    let uses = lib.split("\npub use ").skip(1).filter_map(|rest| Some(rest.split_once(';')?.0));
    let names = uses.filter(|path| !path.starts_with("secrecy")).flat_map(|path| {
        let list = path.rsplit_once('{').map_or(path, |(_, list)| list);
        list.split([',', '}', ':'])
            .map(str::trim)
            .filter(|name| name.starts_with(char::is_uppercase))
            .collect::<Vec<_>>()
    });
    let sources: Vec<_> =
        crate::source_files().into_iter().map(|path| fs::read_to_string(path).expect("a source file")).collect();
    let lacking: Vec<_> = names.filter(|name| !sources.iter().any(|source| has_example(source, name))).collect();
    assert!(lacking.is_empty(), "no example at {lacking:?}");
}

/// Whether the documentation right above the definition has a code block.
fn has_example(source: &str, name: &str) -> bool {
    let defines = |line: &str| {
        let rest = line
            .trim_start_matches("pub ")
            .trim_start_matches("struct ")
            .trim_start_matches("enum ")
            .trim_start_matches("type ");
        rest.strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
    };
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    lines.iter().enumerate().filter(|(_, line)| defines(line)).any(|(at, _)| {
        let above = lines[..at].iter().rev().take_while(|line| {
            line.starts_with("///") || line.starts_with("#[") || line.starts_with(')') || line.ends_with(',')
        });
        above.clone().any(|line| line.starts_with("/// ```"))
    })
}
