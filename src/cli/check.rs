//! `check`: everything that can be seen without a network, with place and remedy.

use serde_json::json;

use super::findings::{Finding, Looked, look};
use super::{Everywhere, Exit, Failure, Reading, out};
use crate::template::samples::samples;

pub(super) const HELP: &str = "\
Reads the configuration, the directory and the templates, renders sample messages, and looks whether
everything fits together. It connects to nothing and reads no secret, so it can run anywhere. What
`run` would refuse is an error; warnings do not fail the check.

Examples:
  varsel -c varsel.toml check
  varsel -c varsel.toml check --json";

pub(super) fn perform(everywhere: &Everywhere, reading: &Reading) -> Result<Exit, Failure> {
    let config = match everywhere.load() {
        Ok(config) => config,
        Err(failure) if everywhere.json => return Err(failure),
        Err(failure) => {
            out::error(&failure);
            out::line("1 error: nothing else was looked at");
            return Ok(failure.exit);
        }
    };
    let now = reading.now(config.file.agency.zone.0)?;
    let looked = look(&config);
    let errors = looked.findings.iter().filter(|f| !f.warning).count();
    if everywhere.json {
        let findings: Vec<_> = looked.findings.iter().map(as_json).collect();
        let warnings = looked.findings.len() - errors;
        out::json(&json!({ "errors": errors, "warnings": warnings, "findings": findings }));
    } else {
        looked.findings.iter().map(described).for_each(out::line);
        out::line(closing(&looked, errors, now));
    }
    Ok(if errors == 0 {
        Exit::Done
    } else {
        Exit::Config
    })
}

/// One finding on two or three lines.
pub(super) fn described(finding: &Finding) -> String {
    let (style, mark) = if finding.warning {
        (out::NOTE, "! warning")
    } else {
        (out::BAD, "✗ error")
    };
    let place = finding.place.as_deref();
    let place = place.unwrap_or("the configuration as a whole");
    let mut lines = vec![format!("{}  {place}", out::styled(style, mark))];
    lines.extend(finding.problem.lines().map(|line| format!("    {line}")));
    if let Some(remedy) = &finding.remedy {
        lines.push(out::styled(out::DIM, format_args!("    → {remedy}")));
    }
    lines.join("\n")
}

fn as_json(finding: &Finding) -> serde_json::Value {
    json!({
        "severity": if finding.warning { "warning" } else { "error" },
        "place": finding.place,
        "problem": finding.problem,
        "remedy": finding.remedy,
    })
}

fn closing(looked: &Looked, errors: usize, now: chrono::DateTime<chrono::Utc>) -> String {
    let warnings = looked.findings.len() - errors;
    let mut line = format!(
        "{}, {}",
        out::plural(errors, "error"),
        out::plural(warnings, "warning")
    );
    if let Some(directory) = &looked.directory {
        line.push_str(&format!(
            " · {}, {}, {}",
            out::plural(directory.offices.len(), "office"),
            out::plural(directory.services.len(), "service"),
            out::plural(samples(directory, now).len(), "sample case"),
        ));
    }
    let style = if errors == 0 { out::GOOD } else { out::BAD };
    out::styled(style, line)
}
