//! The house's own laws: who may import whom, and what the pure core may not touch.
//!
//! The table below is the design's. A new room must be entered here, which is the moment to think about it. Each law
//! is a function from text to faults; unit tests feed it wrong text, so that a law which cannot fail is noticed.

mod reader;

use reader::{Import, imports, token_lines};
use std::fs;
use std::path::{Path, PathBuf};

/// What the linter refuses outside clock.rs: every way to read a clock or to wait for one. The length of a wait may be
/// bounded by `tokio::time::timeout`, which clippy.toml says why.
const CLOCKS: [&str; 14] = [
    "std::time::SystemTime::now",
    "std::time::SystemTime::elapsed",
    "std::time::Instant::now",
    "std::time::Instant::elapsed",
    "chrono::Utc::now",
    "chrono::Local::now",
    "tokio::time::Instant::now",
    "tokio::time::Instant::elapsed",
    "tokio::time::sleep",
    "tokio::time::sleep_until",
    "tokio::time::interval",
    "tokio::time::interval_at",
    "tokio::time::timeout_at",
    "std::thread::sleep",
];

/// The edges. They never see each other: only `service` and those above it know more than one.
const EDGES: [&str; 5] = ["source", "store", "channel", "inbound", "template"];
/// What any room but `domain` may use.
const COMMON: [&str; 3] = ["clock", "sabotage", "telemetry"];
/// Longest file in lines of code: unit tests, comments and blank lines are free, since nobody should save on them.
const MAX_FILE_LINES: usize = 400;

/// The rooms that `room` may import, itself not counted. `None`: the room is not in the table.
fn may_import(room: &str) -> Option<Vec<&'static str>> {
    let below_edges = || [&["domain"][..], &COMMON].concat();
    let edges_and_below = || [&EDGES[..], &below_edges()].concat();
    Some(match room {
        "domain" => vec![],
        "clock" | "sabotage" => vec![],
        "telemetry" => vec!["clock", "domain"],
        edge if EDGES.contains(&edge) => below_edges(),
        "service" | "console" | "sandbox" => edges_and_below(),
        // For the settings types that each room declares for itself.
        "config" => [&["service", "console", "sandbox"][..], &edges_and_below()].concat(),
        "cli" => [
            &["config", "service", "console", "sandbox"][..],
            &edges_and_below(),
        ]
        .concat(),
        "main" => vec!["cli"],
        // Names the rooms, imports none.
        "lib" => vec![],
        _ => return None,
    })
}

/// Crates, modules and words that make a function impure, as paths.
const IMPURE: [&str; 17] = [
    "async",
    "await",
    "tokio",
    "sqlx",
    "reqwest",
    "axum",
    "rand",
    "tracing",
    "rustls",
    "HashMap",
    "HashSet",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::io",
];

/// The module path of a file below `src`: `store/sqlite.rs` is `["store", "sqlite"]`.
fn module_path(file: &Path) -> Vec<String> {
    file.with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect()
}

/// Every import of `text` that the table does not allow.
fn import_faults(file: &Path, text: &str) -> Vec<String> {
    let path = module_path(file);
    let room = path[0].as_str();
    let Some(allowed) = may_import(room) else {
        return vec![format!(
            "{}: the room `{room}` is not in the table",
            file.display()
        )];
    };
    // The two crate roots: `main` names the library as `varsel`, everybody else as `crate`.
    let module: &[String] = if matches!(room, "main" | "lib") {
        &[]
    } else {
        &path
    };
    imports(module, text)
        .into_iter()
        .filter_map(|Import { line, room: target }| {
            let fine = target == room || allowed.contains(&target.as_str());
            (!fine).then(|| {
                format!(
                    "{}:{line}: `{room}` may not import `{target}`",
                    file.display()
                )
            })
        })
        .collect()
}

/// Everything in a file of `domain` that reads the world or waits for it.
fn purity_faults(file: &Path, text: &str) -> Vec<String> {
    let tokens = token_lines(text);
    let mut faults = Vec::new();
    for (at, (line, _)) in tokens.iter().enumerate() {
        for word in IMPURE {
            let parts: Vec<&str> = word
                .split("::")
                .flat_map(|part| [part, "::"])
                .collect::<Vec<_>>();
            let parts = &parts[..parts.len() - 1];
            let here = tokens[at..].iter().map(|(_, token)| token.as_str());
            if here.take(parts.len()).eq(parts.iter().copied()) {
                faults.push(format!(
                    "{}:{line}: `{word}` in the pure core",
                    file.display()
                ));
            }
        }
    }
    faults
}

/// Whether a file opens with its purpose and stands where it should.
fn purpose_faults(file: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let name = file.display();
    if file.ends_with("mod.rs") {
        faults.push(format!(
            "{name}: name it after its module, beside the folder"
        ));
    }
    match text.lines().next() {
        Some(first) if first.starts_with("//! ") && !first.contains("(to come)") => {}
        _ => faults.push(format!(
            "{name}: open it with a //! paragraph: what it is for, and not for"
        )),
    }
    faults
}

/// Whether a file of the product opens with its purpose, keeps its length and stands where it should.
fn shape_faults(file: &Path, text: &str) -> Vec<String> {
    let mut faults = purpose_faults(file, text);
    let lines = product_lines(text);
    if lines > MAX_FILE_LINES {
        faults.push(format!(
            "{}: {lines} lines of code; {MAX_FILE_LINES} are the ceiling",
            file.display()
        ));
    }
    faults
}

/// The lines of code before a file's own unit tests, which stand last.
fn product_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    let product = &lines[..tests.unwrap_or(lines.len())];
    let is_code = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    product.iter().filter(is_code).count()
}

/// Paths of one machine and hosts of package registries, which belong in no committed file.
fn place_faults(file: &Path, text: &str) -> Vec<String> {
    // Written in two halves, so that this file does not name what it forbids.
    let forbidden = [
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
        concat!("deb.", "debian"),
        concat!("security.", "debian"),
        concat!("crates", ".io"),
        concat!("registry.", "npmjs"),
        concat!("pypi", ".org"),
        concat!("pythonhosted", ".org"),
    ];
    let mut faults = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for word in forbidden {
            if line.contains(word) {
                faults.push(format!(
                    "{}:{}: names the place `{word}`",
                    file.display(),
                    at + 1
                ));
            }
        }
    }
    faults
}

/// Dependencies in the manifest whose line is not preceded by a comment that gives the reason.
fn dependency_faults(manifest: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut in_dependencies, mut reason) = (false, false);
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
        } else if line.starts_with('#') {
            reason = true;
        } else if in_dependencies && line.contains(" = ") && !line.starts_with(' ') {
            // Two lines may share one reason when they stand together, as hmac and sha2 do.
            if !reason {
                faults.push(format!("without a reason: {line}"));
            }
        } else if line.is_empty() {
            reason = false;
        }
    }
    faults
}

/// All files below `folder` whose name ends with `suffix`, relative to `base`, in order.
fn files(base: &Path, folder: &str, suffix: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![base.join(folder)];
    while let Some(here) = folders.pop() {
        for entry in fs::read_dir(&here).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let outside = matches!(name.as_str(), "target" | ".git" | "Cargo.lock");
            if path.is_dir() && !path.is_symlink() && !outside {
                folders.push(path);
            } else if path.is_file() && name.ends_with(suffix) && !outside {
                // What is no text (a picture) cannot name a place either.
                if let Ok(text) = fs::read_to_string(&path) {
                    found.push((path.strip_prefix(base).unwrap().to_owned(), text));
                }
            }
        }
    }
    found.sort();
    found
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn source_files() -> Vec<(PathBuf, String)> {
    let found = files(&package().join("src"), "", ".rs");
    assert!(
        found.len() > 20,
        "the walk lost its way: {} files",
        found.len()
    );
    found
}

fn none(faults: Vec<String>) {
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn imports_follow_the_table() {
    none(
        source_files()
            .iter()
            .flat_map(|(file, text)| import_faults(file, text))
            .collect(),
    );
}

#[test]
fn the_domain_is_pure() {
    let domain = source_files()
        .into_iter()
        .filter(|(file, _)| module_path(file)[0] == "domain");
    none(
        domain
            .flat_map(|(file, text)| purity_faults(&file, &text))
            .collect(),
    );
}

#[test]
fn files_say_what_they_are_for_and_stay_short() {
    none(
        source_files()
            .iter()
            .flat_map(|(file, text)| shape_faults(file, text))
            .collect(),
    );
    // Tests may be long, but say what they are for all the same.
    let tests = files(package(), "tests", ".rs");
    none(
        tests
            .iter()
            .flat_map(|(file, text)| purpose_faults(file, text))
            .collect(),
    );
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let all = files(package(), "", "");
    assert!(
        all.iter().any(|(file, _)| file.ends_with(".ci/run")),
        "the walk skips hidden folders"
    );
    none(
        all.iter()
            .flat_map(|(file, text)| place_faults(file, text))
            .collect(),
    );
}

#[test]
fn every_dependency_has_its_reason() {
    none(dependency_faults(
        &fs::read_to_string(package().join("Cargo.toml")).unwrap(),
    ));
}

#[cfg(test)]
mod the_laws_can_fail {
    use super::*;

    #[track_caller]
    fn fault(faults: Vec<String>, text: &str) {
        assert!(
            faults.iter().any(|f| f.contains(text)),
            "expected `{text}` in {faults:?}"
        );
    }

    #[test]
    fn a_wrong_import_is_found_however_it_is_written() {
        for (file, text, expected) in [
            (
                "store/sqlite.rs",
                "use crate::channel::Outcome;",
                "`store` may not import `channel`",
            ),
            (
                "channel/sms.rs",
                "use crate::{domain, store::Ledger};",
                "`channel` may not import `store`",
            ),
            (
                "domain/plan.rs",
                "fn f() { crate::clock::now() }",
                "`domain` may not import `clock`",
            ),
            (
                "domain/plan.rs",
                "use super::super::store::Ledger;",
                "`domain` may not import `store`",
            ),
            (
                "domain.rs",
                "use super::{clock, domain::plan};",
                "`domain` may not import `clock`",
            ),
            (
                "service/intake.rs",
                "use crate::config::Config;",
                "`service` may not import `config`",
            ),
            (
                "sandbox.rs",
                "mod inner { use super::super::service::run; }",
                "may not import `service`",
            ),
            (
                "config.rs",
                "use crate::cli::Args;",
                "`config` may not import `cli`",
            ),
            ("source.rs", "use crate::*;", "`source` may not import `*`"),
            (
                "source.rs",
                "use crate as everything;",
                "`source` may not import `as`",
            ),
            (
                "template.rs",
                "macro_rules! m { () => { $crate::store::x() } }",
                "import `store`",
            ),
            (
                "main.rs",
                "fn main() { varsel::service::run() }",
                "`main` may not import `service`",
            ),
            ("attic.rs", "", "the room `attic` is not in the table"),
        ] {
            fault(import_faults(Path::new(file), text), expected);
        }
    }

    #[test]
    fn right_imports_and_mere_words_are_none() {
        for (file, text) in [
            (
                "store/sqlite.rs",
                "use crate::{domain::{plan, brake}, clock::Mono, store::Known};",
            ),
            (
                "store.rs",
                "mod tests { use super::*; mod deep { use super::super::Known; } }",
            ),
            (
                "channel.rs",
                "// crate::store is not ours\n/* crate::store /* nested */ */ fn f() {}",
            ),
            (
                "channel.rs",
                r##"const A: &str = "crate::store"; const B: &str = r#"crate::store"#;"##,
            ),
            (
                "channel.rs",
                "fn f<'a>(c: char) -> bool { c == '\"' || c == '\\'' } // crate::store",
            ),
            (
                "domain/plan.rs",
                "pub(crate) fn f() {} pub(in crate::domain) fn g() {}",
            ),
            (
                "cli.rs",
                "use crate::{config, service, console, sandbox, store};",
            ),
            ("main.rs", "fn main() { varsel::cli::main() }"),
        ] {
            none(import_faults(Path::new(file), text));
        }
    }

    #[test]
    fn impurity_is_found_and_words_in_comments_are_not() {
        let file = Path::new("domain/plan.rs");
        fault(purity_faults(file, "pub async fn plan() {}"), "`async`");
        fault(purity_faults(file, "use std::fs;"), "`std::fs`");
        fault(
            purity_faults(file, "fn f() { tokio::spawn(g()); }"),
            "`tokio`",
        );
        fault(
            purity_faults(file, "use std::collections::HashMap;"),
            "`HashMap`",
        );
        none(purity_faults(
            file,
            "//! No tokio, no std::fs.\nconst WORD: &str = \"async\";",
        ));
    }

    #[test]
    fn a_file_without_purpose_or_with_too_many_lines_is_found() {
        let good = "//! For a test.\n";
        fault(shape_faults(Path::new("a.rs"), "use std::fmt;\n"), "//!");
        fault(shape_faults(Path::new("a.rs"), "//! (to come)\n"), "//!");
        fault(
            shape_faults(Path::new("store/mod.rs"), good),
            "beside the folder",
        );
        let long = good.to_owned() + &"fn f() {}\n".repeat(MAX_FILE_LINES + 1);
        fault(shape_faults(Path::new("a.rs"), &long), "401 lines of code");
        let tested =
            good.to_owned() + "#[cfg(test)]\nmod tests {\n" + &"g();\n".repeat(MAX_FILE_LINES);
        none(shape_faults(Path::new("a.rs"), &tested));
    }

    #[test]
    fn places_and_bare_dependencies_are_found() {
        let place = format!("cd {}me/kari/varsel", "/ho");
        fault(place_faults(Path::new("README.md"), &place), "README.md:1");
        fault(
            dependency_faults("[dependencies]\nserde = \"1\"\n"),
            "serde",
        );
        none(dependency_faults(
            "[dependencies]\n# Reads.\nserde = \"1\"\n[lints]\na = 1\n",
        ));
    }
}

#[test]
fn the_linter_refuses_every_clock() {
    let clippy: toml::Value = toml::from_str(include_str!("../../clippy.toml")).unwrap();
    let refused = clippy["disallowed-methods"].as_array().unwrap();
    let refused: Vec<&str> = refused.iter().filter_map(|m| m["path"].as_str()).collect();
    for clock in CLOCKS {
        assert!(refused.contains(&clock), "clippy.toml allows {clock}");
    }
    let manifest: toml::Value = toml::from_str(include_str!("../../Cargo.toml")).unwrap();
    let clippy = &manifest["lints"]["clippy"];
    assert_eq!(
        clippy["disallowed_methods"].as_str(),
        Some("deny"),
        "{clippy}"
    );
}
