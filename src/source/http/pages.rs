//! From page to page, and the proof that none is missing. It asks nobody; it only reads answers.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Utc};
use reqwest::Url;
use serde_json::Value;

use super::client::Answer;
use super::{Next, Settings, SourceError};

/// The address of the first page.
pub(super) fn first(settings: &Settings, floor: DateTime<Utc>) -> String {
    numbered(settings, floor, 0)
}

fn numbered(settings: &Settings, floor: DateTime<Utc>, number: u32) -> String {
    let day = floor.date_naive();
    // A day early, since starts are written in zones up to half a day away from UTC.
    let day = day.checked_sub_days(Days::new(1)).unwrap_or(day);
    let url = settings.url.replace(":floor", &day.to_string());
    match settings.paging.as_ref().map(|paging| &paging.next) {
        Some(Next::Parameter { name, first }) => {
            let mark = if url.contains('?') { '&' } else { '?' };
            format!("{url}{mark}{name}={}", first.saturating_add(number))
        }
        Some(Next::Pointer(_)) | None => url,
    }
}

/// The items of a page.
pub(super) fn items<'a>(settings: &Settings, page: &'a Answer) -> Result<&'a [Value], SourceError> {
    let found = page.body.pointer(&settings.items).and_then(Value::as_array);
    found
        .map(Vec::as_slice)
        .ok_or_else(|| SourceError::Mapping {
            source_name: settings.name.clone(),
            problem: format!(
                "the answer has no list at \"{}\" ([source.json] items)",
                settings.items
            ),
        })
}

/// A list that is read to its end.
pub(super) struct Items<'a> {
    settings: &'a Settings,
    floor: DateTime<Utc>,
    pages: u32,
    items: u64,
    total: Option<u64>,
    seen: BTreeSet<String>,
}

impl<'a> Items<'a> {
    pub(super) fn new(settings: &'a Settings, floor: DateTime<Utc>) -> Self {
        Self {
            settings,
            floor,
            pages: 0,
            items: 0,
            total: None,
            seen: BTreeSet::new(),
        }
    }

    /// The items of the next page, which must say the same total as those before it.
    pub(super) fn page<'p>(&mut self, page: &'p Answer) -> Result<&'p [Value], SourceError> {
        let found = items(self.settings, page)?;
        self.pages += 1;
        self.items += u64::try_from(found.len()).unwrap_or(u64::MAX);
        let Some(paging) = &self.settings.paging else {
            return Ok(found);
        };
        let total = page.body.pointer(&paging.total).and_then(Value::as_u64);
        let Some(total) = total else {
            return Err(SourceError::Mapping {
                source_name: self.settings.name.clone(),
                problem: format!(
                    "page {} has no number at \"{}\" ([source.json.paging] total): without it nobody \
                     could say whether a page is missing",
                    self.pages, paging.total
                ),
            });
        };
        match self.total {
            Some(before) if before != total => Err(self.incomplete(&format!(
                "its total changed from {before} to {total} while it was read"
            ))),
            _ => {
                self.total = Some(total);
                Ok(found)
            }
        }
    }

    /// The address of the page that follows, if one does.
    pub(super) fn next(&mut self, page: &Answer) -> Result<Option<String>, SourceError> {
        let Some(paging) = &self.settings.paging else {
            return Ok(None);
        };
        let next = match &paging.next {
            Next::Parameter { .. } => {
                let empty = items(self.settings, page)?.is_empty();
                let more = self.total.is_some_and(|total| self.items < total) && !empty;
                more.then(|| numbered(self.settings, self.floor, self.pages))
            }
            Next::Pointer(pointer) => match page.body.pointer(pointer) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) if text.is_empty() => None,
                Some(Value::String(text)) => Some(self.beside(text)?),
                Some(_) => return Err(self.incomplete("the address of the next page is no text")),
            },
        };
        let Some(next) = next else { return Ok(None) };
        if self.pages >= paging.max_pages {
            return Err(self.incomplete(&format!("it has more than {} pages", paging.max_pages)));
        }
        if !self.seen.insert(next.clone()) {
            return Err(self.incomplete("its pages run in a circle"));
        }
        Ok(Some(next))
    }

    /// An address that may be relative; it never leads to another server, which would get the token.
    fn beside(&self, next: &str) -> Result<String, SourceError> {
        let base = Url::parse(&first(self.settings, self.floor));
        let base = base.map_err(|_| self.incomplete("its own address does not read"))?;
        let next = base.join(next);
        let next =
            next.map_err(|_| self.incomplete("the address of the next page does not read"))?;
        if next.origin() == base.origin() {
            return Ok(next.into());
        }
        Err(self.incomplete("the next page lies on another server"))
    }

    /// Whether as many items came as the list says it has.
    pub(super) fn end(&self) -> Result<(), SourceError> {
        match self.total {
            Some(total) if total != self.items => Err(self.incomplete(&format!(
                "it says that it has {total} items, and {} came",
                self.items
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn incomplete(&self, why: &str) -> SourceError {
        SourceError::Unavailable {
            source_name: self.settings.name.clone(),
            problem: format!("the list is not complete: {why}; nothing is concluded from it"),
        }
    }
}
