//! `test`: the expectations kept beside the templates, each tried on the real rules and texts.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use self::outcome::Miss;
use super::rehearse::means;
use super::{Everywhere, Exit, Failure, out};
use crate::config::{Config, ConfigError};
use crate::domain::directory::Directory;
use crate::domain::plan::Rules;
use crate::template::Templates;

mod expectation;
mod outcome;

/// No folder holds more files of expectations, and no file is longer than this in bytes.
const MAX_FILES: usize = 200;
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The folder of expectations, beside those of the texts.
const FOLDER: &str = "expectations";

/// The expectations that are built in, for the directory that is built in.
const BUILT_IN: (&str, &str) = (
    "templates/expectations/model-case.toml",
    include_str!("../../templates/expectations/model-case.toml"),
);

pub(super) const HELP: &str = "\
Tries what is expected: each file expectations/NAME.toml in your folder of templates says, for an
appointment, what happens to it and at which time, which messages follow and what they say. Your own
rules, directory and templates answer. Without a folder of your own, the built-in expectations are
tried. Exit code 1 means that a case fails.

Examples:
  varsel -c varsel.toml test
  varsel -c varsel.toml test closing";

/// What to try.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only cases whose name or file has this in it
    only: Option<String>,
}

/// What the cases are tried on.
struct Tried<'a> {
    directory: &'a Directory,
    templates: &'a Templates,
    rules: &'a Rules,
}

pub(super) fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let (directory, templates) = means(&config)?;
    let rules = config.rules();
    let tried = Tried {
        directory: &directory,
        templates: &templates,
        rules: &rules,
    };
    let mut results = Vec::new();
    for (file, text) in files(&config)? {
        let name = file.display().to_string();
        for case in expectation::read(&name, &text)? {
            let wanted = |only: &String| name.contains(only) || case.name.contains(only);
            if options.only.as_ref().is_none_or(wanted) {
                let misses = outcome::misses(&case, &tried)
                    .map_err(|error| error.at(&name, &text, case.span.clone()))?;
                results.push((name.clone(), case, misses));
            }
        }
    }
    let failed = results
        .iter()
        .filter(|(.., misses)| !misses.is_empty())
        .count();
    if everywhere.json {
        let cases = results.iter().map(|(file, case, misses)| {
            let misses: Vec<String> = misses.iter().map(|miss| miss.problem.clone()).collect();
            json!({ "file": file, "line": case.line, "case": case.name, "misses": misses })
        });
        out::json(&Value::Array(cases.collect()));
    } else {
        for (file, case, misses) in &results {
            show(file, case, misses);
        }
        let summary = format!("{}, {failed} failed", out::plural(results.len(), "case"));
        let style = if failed == 0 { out::GOOD } else { out::BAD };
        out::line(out::styled(style, summary));
    }
    match (results.len(), failed) {
        (0, _) => Err(Failure::new(
            Exit::No,
            "there is no such case",
            "expectations stand in expectations/NAME.toml in the folder of templates",
        )),
        (_, 0) => Ok(Exit::Done),
        _ => Ok(Exit::No),
    }
}

fn show(file: &str, case: &expectation::Case, misses: &[Miss]) {
    if misses.is_empty() {
        out::line(format_args!(
            "{}  {}",
            out::styled(out::GOOD, "✓"),
            case.name
        ));
        return;
    }
    let mark = out::styled(out::BAD, "✗");
    out::line(format_args!(
        "{mark}  {}",
        out::styled(out::BOLD, &case.name)
    ));
    for miss in misses {
        let line = miss.line.unwrap_or(case.line);
        out::line(format_args!(
            "   {}",
            out::styled(out::DIM, format_args!("{file}:{line}"))
        ));
        for line in miss.problem.lines() {
            out::line(format_args!("   {line}"));
        }
    }
}

/// The files of expectations with their texts: the agency's own, else the built-in one.
fn files(config: &Config) -> Result<Vec<(PathBuf, String)>, ConfigError> {
    let own = config.file.agency.templates.as_deref();
    let Some(folder) = own
        .map(|own| own.join(FOLDER))
        .filter(|folder| folder.is_dir())
    else {
        let (name, text) = BUILT_IN;
        return Ok(vec![(PathBuf::from(name), text.to_owned())]);
    };
    let unreadable = |path: &Path, error: &std::io::Error| {
        let help = "check its permissions, and those of the folder of templates";
        ConfigError::unreadable("the file of expectations", path, error, help)
    };
    let entries = std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))?;
    let paths = entries
        .take(MAX_FILES)
        .filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    paths.sort();
    let mut read = Vec::new();
    for path in paths {
        let size = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        if size > MAX_FILE_BYTES {
            let problem = format!(
                "\"{}\" is longer than {MAX_FILE_BYTES} bytes",
                path.display()
            );
            return Err(ConfigError::new(problem, "split it into several files"));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        read.push((path, text));
    }
    Ok(read)
}
