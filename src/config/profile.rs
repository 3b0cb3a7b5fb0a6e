//! Profiles: gateways and booking systems described once, shipped with the program or kept in a file
//! of the agency's own.

use std::path::Path;

use super::document::Layer;
use super::error::{ConfigError, did_you_mean};
use crate::channel::sms::profile::BUILT_IN;

/// The mappings of booking systems that ship with the program, by name.
const SOURCES: &[(&str, &str)] = &[("sandbox", include_str!("../../config/sources/sandbox.toml"))];

/// The profile of an SMS gateway.
///
/// # Errors
/// When no such profile ships, or its file cannot be read.
pub(super) fn gateway(profile: &str) -> Result<Layer, ConfigError> {
    find(profile, BUILT_IN, Path::new(""))
}

/// The mappings that the `[[source]]` tables of `text` name, with the tables' numbers. What is wrong
/// with the text itself is told when it is read.
///
/// # Errors
/// As [`gateway`].
pub(super) fn of_sources(text: &str, folder: &Path) -> Result<Vec<(usize, Layer)>, ConfigError> {
    let Ok(document) = text.parse::<toml::Table>() else {
        return Ok(Vec::new());
    };
    let sources = document.get("source").and_then(toml::Value::as_array);
    let named = sources.into_iter().flatten().enumerate();
    let named =
        named.filter_map(|(number, source)| Some((number, source.get("profile")?.as_str()?)));
    named
        .map(|(number, profile)| Ok((number, find(profile, SOURCES, folder)?)))
        .collect()
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
            text: super::read("the profile", &path)?,
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
