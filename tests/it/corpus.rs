//! What the fuzzer has found or was given: no property fails on any of it.

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub)]
mod targets;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use crate::support::Outcome;

#[test]
fn each_property_holds_on_the_corpus() -> Outcome {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut names = fs::read_dir(&corpus)?.map(|entry| Ok(entry?.file_name())).collect::<Outcome<Vec<_>>>()?;
    names.sort();
    assert!(names.iter().eq(targets::TARGETS.iter().map(|(name, _)| *name)), "a corpus for each target: {names:?}");
    let mut failed = Vec::new();
    for (name, target) in targets::TARGETS {
        let mut inputs = 0;
        for entry in fs::read_dir(corpus.join(name))? {
            let path = entry?.path();
            let data = fs::read(&path)?;
            if catch_unwind(|| target(&data)).is_err() {
                failed.push(path);
            }
            inputs += 1;
        }
        assert!(inputs >= 5, "{name}");
    }
    assert!(failed.is_empty(), "{failed:#?}");
    Ok(())
}
