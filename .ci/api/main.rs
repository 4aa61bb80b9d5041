//! Prints the public API of the crate that rustdoc described as JSON, one item a line. Left out: auto traits, blanket impls, the
//! methods of a trait that a type implements (the line of the `impl` implies them), and what was printed at another path.

use std::collections::HashSet;

use public_api::Builder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = std::env::args().nth(1).ok_or("which rustdoc JSON?")?;
    let api = Builder::from_rustdoc_json(json).omit_blanket_impls(true).omit_auto_trait_impls(true).build()?;
    let items: Vec<_> = api.into_items().map(|item| (item.to_string(), item)).collect();
    let of_a_trait = |line: &str| line.starts_with("impl") && line.contains(" for ");
    let impls: HashSet<_> = items.iter().filter(|(line, _)| of_a_trait(line)).map(|(_, item)| item.id()).collect();
    let mut printed = HashSet::new();
    for (line, item) in &items {
        let implied = item.parent_id().is_some_and(|parent| impls.contains(&parent));
        if !implied && !line.contains("::StructuralPartialEq ") && printed.insert(line) {
            println!("{line}");
        }
    }
    Ok(())
}
