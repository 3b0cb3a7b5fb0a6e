//! `check`: everything that `run` would refuse, with place and remedy, in one run.

use serde_json::json;

use super::exit::error_json;
use super::findings::{Finding, Looked, look};
use super::{Everywhere, Exit, Failure, Reading, out};
use crate::config::Config;
use crate::template::samples::samples;

pub(super) const HELP: &str = "\
Reads the configuration, the directory and the templates, opens the booking systems, reads the
secrets, looks at the store and its folder, and renders sample messages. It sends nothing, connects
to no gateway and changes nothing. What `run` would refuse is an error, and all that can be
found are told in one run (what hangs on a file that is missing is found when it is there); warnings
do not fail the check. It ends with 69 where something is not there and nothing
else is wrong, so that a machine without the booking system can tell the two apart.

Examples:
  varsel -c varsel.toml check
  varsel -c varsel.toml check --json";

pub(super) async fn perform(everywhere: &Everywhere, reading: &Reading) -> Result<Exit, Failure> {
    let (mistakes, config) = match Config::load(everywhere.config.as_deref()) {
        Ok(config) => (Vec::new(), Some(config)),
        Err(mistakes) => mistakes.into_parts(),
    };
    let zone = config.as_ref().map(|config| config.file.agency.zone.0);
    let now = reading.now(zone.unwrap_or_default())?;
    let looked = look(config.as_ref(), mistakes).await;
    let exit = looked.exit();
    if everywhere.json {
        out::json(&as_json(&looked));
        return Ok(exit);
    }
    let closing = closing(&looked, now);
    let style = if exit == Exit::Done {
        out::GOOD
    } else {
        out::BAD
    };
    for finding in looked.findings {
        out::report(finding);
    }
    out::line(out::styled(style, closing));
    Ok(exit)
}

fn as_json(looked: &Looked) -> serde_json::Value {
    let error = |finding: &Finding| error_json(&finding.error);
    json!({
        "errors": looked.errors().map(error).collect::<Vec<_>>(),
        "warnings": looked.warnings().map(error).collect::<Vec<_>>(),
    })
}

fn closing(looked: &Looked, now: chrono::DateTime<chrono::Utc>) -> String {
    let mut line = format!(
        "{}, {}",
        out::plural(looked.errors().count(), "error"),
        out::plural(looked.warnings().count(), "warning")
    );
    if let Some(directory) = &looked.directory {
        line.push_str(&format!(
            " · {}, {}, {}",
            out::plural(directory.offices.len(), "office"),
            out::plural(directory.services.len(), "service"),
            out::plural(samples(directory, now).len(), "sample case"),
        ));
    }
    line
}
