//! Profiles: gateways and booking systems described once, shipped with the program or kept in a file
//! of the agency's own.

use std::path::Path;

use super::document::{Below, Layer};
use super::error::{ConfigError, did_you_mean};
use crate::channel::sms::profile::BUILT_IN;

/// The mappings of booking systems that ship with the program, by name.
const SOURCES: &[(&str, &str)] = &[
    ("csv", include_str!("../../config/sources/csv.toml")),
    ("calcom", include_str!("../../config/sources/calcom.toml")),
    (
        "easyappointments",
        include_str!("../../config/sources/easyappointments.toml"),
    ),
    ("json", include_str!("../../config/sources/json.toml")),
    ("sandbox", include_str!("../../config/sources/sandbox.toml")),
];

/// The profile of an SMS gateway.
///
/// # Errors
/// When no such profile ships, or its file cannot be read.
pub(super) fn gateway(profile: &str) -> Result<Layer, ConfigError> {
    find(profile, BUILT_IN, Path::new(""))
}

/// The mappings that the `[[source]]` tables of `text` name, and why some of them are not there,
/// each with its table's number. What is wrong with the text itself is told when it is read.
pub(super) fn of_sources(text: &str, folder: &Path) -> (Vec<Below>, Vec<(usize, ConfigError)>) {
    let (mut below, mut missing) = (Vec::new(), Vec::new());
    let document = text.parse::<toml::Table>().unwrap_or_default();
    let sources = document.get("source").and_then(toml::Value::as_array);
    for (number, source) in sources.into_iter().flatten().enumerate() {
        let Some(name) = source.get("profile").and_then(toml::Value::as_str) else {
            continue;
        };
        let profile = match find(name, SOURCES, folder) {
            Ok(profile) => Some(profile),
            Err(error) => {
                missing.push((number, error));
                None
            }
        };
        below.push(Below { number, profile });
    }
    (below, missing)
}

/// Whether a profile is a file rather than one that ships with the program.
pub(super) fn is_path(profile: &str) -> bool {
    profile.contains('/') || profile.ends_with(".toml")
}

fn find(profile: &str, shipped: &[(&str, &str)], folder: &Path) -> Result<Layer, ConfigError> {
    if let Some((name, text)) = shipped.iter().find(|(name, _)| *name == profile) {
        return Ok(Layer {
            name: format!("(shipped) {name}.toml"),
            text: (*text).to_owned(),
        });
    }
    if is_path(profile) {
        let path = folder.join(profile);
        return Ok(Layer {
            text: super::read("the profile", &path, super::NAMED)?,
            name: path.display().to_string(),
        });
    }
    let known: Vec<&str> = shipped.iter().map(|(name, _)| *name).collect();
    Err(ConfigError::new(
        format!("no profile \"{profile}\" ships with the program"),
        format!(
            "{} A profile of your own is named by its path, such as \"./own.toml\"",
            did_you_mean(profile, &known)
        ),
    ))
}
