//! docs/COVERAGE.md keeps its word: what it names is there.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the tables, as sentence, carriers and tests.
fn rows(page: &str) -> Vec<[String; 3]> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect());
    let cells = cells.filter(|cells: &Vec<&str>| cells.first() != Some(&"sentence"));
    let row = |cells: Vec<&str>| <[&str; 3]>::try_from(cells).unwrap().map(str::to_owned);
    cells.map(row).collect()
}

fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether a test of this path is there: `templates::rules::name` stands as `fn name(` in
/// tests/it/templates/rules.rs, and says so above it.
fn is_test(path: &str) -> bool {
    let (module, name) = path.rsplit_once("::").unwrap();
    let file: PathBuf = ["tests", "it"]
        .iter()
        .chain(&module.split("::").collect::<Vec<_>>())
        .collect();
    let text = fs::read_to_string(root().join(file).with_extension("rs")).unwrap_or_default();
    text.contains(&format!("#[test]\nfn {name}("))
}

#[test]
fn every_sentence_is_carried_by_something_that_is_there_and_tested() {
    let page = fs::read_to_string(root().join("docs/COVERAGE.md")).unwrap();
    let rows = rows(&page);
    assert_eq!(rows.len(), 58);
    for [sentence, carriers, tests] in &rows {
        let (carriers, tests) = (named(carriers), named(tests));
        assert!(!carriers.is_empty() && !tests.is_empty(), "{sentence}");
        for carrier in carriers {
            assert!(
                root().join(carrier).is_file(),
                "{sentence}: {carrier} is not there"
            );
        }
        for test in tests {
            assert!(is_test(test), "{sentence}: there is no test {test}");
        }
    }
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(!is_test("templates::rules::no_such_test"));
    assert!(!is_test(
        "templates::no_such_file::nothing_points_elsewhere"
    ));
    assert!(is_test("templates::rules::nothing_points_elsewhere"));
}
