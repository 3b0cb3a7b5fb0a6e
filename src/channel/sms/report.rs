//! What a gateway's report means, by the table of its profile.
//!
//! Whether the report is genuine was decided before, by the token in its URL.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;

use super::profile::Profile;
use crate::domain::outcome::ReportState;

/// No more of the gateway's own words is kept.
const DETAIL_LIMIT_CHARS: usize = 80;

/// How a profile reads reports.
#[derive(Clone, Debug)]
pub(super) struct ReportTable {
    /// The parameter that holds the state.
    pub(super) state: String,
    /// What its words mean.
    pub(super) words: BTreeMap<String, ReportState>,
    /// The parameter with the gateway's own words, and what of them may be kept.
    pub(super) detail: Option<(String, Regex)>,
    /// How long a report is waited for.
    pub(super) within: Duration,
}

/// Reads a report from the parameters of its query and its form body: what it says, and the
/// gateway's own words for people.
///
/// `None` means that the profile expects no reports, or that the parameter with the state is
/// missing. A word that the profile does not know is evidence, and moves nothing.
#[must_use]
pub fn parse_report(
    profile: &Profile,
    parameters: &[(String, String)],
) -> Option<(ReportState, String)> {
    let table = profile.report_table()?;
    let value = |name: &str| {
        parameters
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    let Some(state) = table.words.get(value(&table.state)?) else {
        return Some((
            ReportState::Progress,
            "a word that the profile does not know".to_owned(),
        ));
    };
    let detail = table
        .detail
        .as_ref()
        .and_then(|(name, keep)| keep.find(value(name)?));
    let detail = detail.map_or("", |found| found.as_str());
    Some((*state, detail.chars().take(DETAIL_LIMIT_CHARS).collect()))
}
