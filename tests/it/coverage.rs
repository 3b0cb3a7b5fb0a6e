//! docs/COVERAGE.md keeps its word: what it names is there.

use std::fs;
use std::path::{Path, PathBuf};

use varsel::domain::language::Language;
use varsel::domain::pair::{Said, said};

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
    let mut above = text.lines().zip(text.lines().skip(1));
    let begins = |line: &str, with: &str| line.starts_with(with);
    above.any(|(mark, line)| {
        let plain = mark == "#[test]" && begins(line, &format!("fn {name}("));
        let waits = begins(mark, "#[tokio::test") && begins(line, &format!("async fn {name}("));
        plain || waits
    })
}

#[test]
fn every_sentence_is_carried_by_something_that_is_there_and_tested() {
    let page = fs::read_to_string(root().join("docs/COVERAGE.md")).unwrap();
    let rows = rows(&page);
    assert_eq!(rows.len(), 63);
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

/// The announcements as they were written, each with its heading on the page: a paragraph a line, and
/// headings after a `#`.
const ANNOUNCEMENTS: [(&str, &str); 4] = [
    (
        "The police district, in Norwegian",
        include_str!("announcements/police.nb.txt"),
    ),
    (
        "The police district, in English",
        include_str!("announcements/police.en.txt"),
    ),
    (
        "Visiting a police station",
        include_str!("announcements/visiting.en.txt"),
    ),
    ("The embassy", include_str!("announcements/embassy.nb.txt")),
];

#[test]
fn no_sentence_of_an_announcement_is_left_out() {
    let page = fs::read_to_string(root().join("docs/COVERAGE.md")).unwrap();
    for (heading, text) in ANNOUNCEMENTS {
        let paragraphs = text.lines().filter(|line| !line.starts_with('#'));
        let mut rest = paragraphs.collect::<Vec<_>>().join("\n");
        let section = page.split("\n## ").find(|part| part.starts_with(heading));
        let mut rows = rows(section.unwrap());
        rows.sort_by_key(|[sentence, ..]| std::cmp::Reverse(sentence.len()));
        for [sentence, ..] in rows {
            let said = sentence.trim_end_matches(['.', ':']);
            assert!(rest.contains(said), "not of {heading}: {sentence}");
            rest = rest.replace(said, "");
        }
        let left: Vec<&str> = rest
            .lines()
            .filter(|line| line.chars().any(char::is_alphanumeric))
            .collect();
        assert!(left.is_empty(), "{heading} lacks {left:#?}");
    }
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(!is_test("templates::rules::no_such_test"));
    assert!(!is_test(
        "templates::no_such_file::nothing_points_elsewhere"
    ));
    assert!(!is_test("journeys::wave::invite"));
    assert!(is_test("journeys::wave::a_second_cancellation_apologises"));
    assert!(is_test("templates::rules::nothing_points_elsewhere"));
}

/// The sentences of one announcement, as one text.
fn announcement(page: &str, heading: &str) -> String {
    let section = page.split("\n## ").find(|part| part.starts_with(heading));
    let sentences = rows(section.unwrap())
        .into_iter()
        .map(|[sentence, ..]| sentence);
    sentences.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_pair_check_names_where_the_announcement_says_two_things() {
    let page = fs::read_to_string(root().join("docs/COVERAGE.md")).unwrap();
    let nb = said(
        &announcement(&page, "The police district, in Norwegian"),
        Language::Nb,
    );
    let en = said(
        &announcement(&page, "The police district, in English"),
        Language::En,
    );
    // Both say the days of the closing and the information line's number.
    for figure in ["17", "9", "2021", "22342100"] {
        let figure = Said::Figure(figure.to_owned());
        assert!(nb.contains(&figure) && en.contains(&figure), "{figure:?}");
    }
    let only_en: Vec<&Said> = en.difference(&nb).collect();
    let covid = Said::Figure("19".to_owned());
    let expected = ["closed", "emergency", "many", "travel document"].map(Said::Term);
    assert_eq!(only_en, [&[&covid][..], &expected.each_ref()].concat());
    let only_nb: Vec<&Said> = nb.difference(&en).collect();
    assert_eq!(only_nb, [&Said::Term("critical")]);
}
