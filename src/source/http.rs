//! A booking system that answers with JSON over HTTP: pointers into each item are the mapping.
//!
//! A snapshot is every page of one list, read to its end and proved complete, or it is an error: a page
//! that is missing, a total that changes while it is read, or an item that comes twice make the whole
//! read worthless. Nothing is ever sent there but questions.

mod client;
mod pages;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::mapping::Mapping;
use super::row::{Column, Misfit, Raw};
use super::survey::{Survey, Surveyor};
use super::{Look, Snapshot, Source, SourceError, Words};
use crate::clock::{Clock, Mono};
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::directory::Directory;
use client::{Answer, Client};
use pages::Items;

/// No more bookings are asked for one by one; where there are more, the whole list is read again.
const MOST_LOOK_UPS: usize = 200;

/// Everything the configuration says of one JSON source.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The source's name.
    pub name: SourceName,
    /// The first page of the list; `:floor` in it is a day a little before the present.
    pub url: String,
    /// The token that is sent as `Authorization: Bearer`.
    pub token: Option<SecretString>,
    /// Where in a page the items stand (RFC 6901).
    pub items: String,
    /// Where in an item each of our columns stands.
    pub columns: Vec<(String, String)>,
    /// How a list of several pages is read; `None` reads one.
    pub paging: Option<Paging>,
    /// Where one booking is asked for; `:id` in it is its key. `None` reads the list again.
    pub look_up: Option<LookUp>,
    /// A connection must stand within this.
    pub connect_timeout: Duration,
    /// No answer may take longer.
    pub timeout: Duration,
    /// No answer is longer, in bytes.
    pub max_body_bytes: usize,
    /// What its values mean.
    pub words: Words,
}

/// How a list of several pages is read.
#[derive(Clone, Debug)]
pub struct Paging {
    /// How the next page is found.
    pub next: Next,
    /// Where in each page the number of all items stands: what proves that none is missing.
    pub total: String,
    /// No list has more pages.
    pub max_pages: u32,
}

/// How the next page is found.
#[derive(Clone, Debug)]
pub enum Next {
    /// Its address stands in the page.
    Pointer(String),
    /// Its number is a parameter, and the first page has this one.
    Parameter {
        /// The parameter's name.
        name: String,
        /// The number of the first page.
        first: u32,
    },
}

/// Where one booking is asked for.
#[derive(Clone, Debug)]
pub struct LookUp {
    /// The address; `:id` in it is the key.
    pub url: String,
    /// Where in the answer the item stands.
    pub item: String,
}

/// A source that reads JSON over HTTP.
pub struct HttpSource {
    settings: Settings,
    mapping: Mapping,
    client: Client,
    columns: Vec<Column>,
    pointers: Vec<String>,
    /// What the source calls the state that the last recorded read saw.
    tag: Option<String>,
}

impl HttpSource {
    /// Checks the mapping.
    pub(super) fn closed(
        settings: Settings,
        directory: Arc<Directory>,
    ) -> Result<Self, SourceError> {
        let mapping = Mapping::new(settings.name.clone(), settings.words.clone(), directory)?;
        let misfit = |problem: String| SourceError::Mapping {
            source_name: settings.name.clone(),
            problem,
        };
        let names: Vec<String> = settings
            .columns
            .iter()
            .map(|(ours, _)| ours.clone())
            .collect();
        let among = Column::among(&names).map_err(|wrong| {
            misfit(match wrong {
                Misfit::Missing(_) => {
                    "[source.json.columns] must say where id, status, start, office \
                                       and service stand"
                        .to_owned()
                }
                Misfit::Alone(..) => wrong.to_string(),
            })
        })?;
        let pointer = |name: &String| {
            let found = settings.columns.iter().find(|(ours, _)| ours == name);
            found
                .map(|(_, pointer)| pointer.clone())
                .unwrap_or_default()
        };
        let client = Client::new(&settings)?;
        Ok(Self {
            columns: among.iter().map(|(column, _)| *column).collect(),
            pointers: among.iter().map(|(_, name)| pointer(name)).collect(),
            settings,
            mapping,
            client,
            tag: None,
        })
    }

    /// Asks for the first page: it alone tells whether the address, the token and the pointers fit.
    pub(super) async fn try_out(&mut self) -> Result<(), SourceError> {
        self.first(Clock::system().now(), None).await?;
        Ok(())
    }

    /// The first page; `None` when the source says that nothing changed since `tag`.
    async fn first(
        &mut self,
        floor: DateTime<Utc>,
        tag: Option<&str>,
    ) -> Result<Option<Answer>, SourceError> {
        let url = pages::first(&self.settings, floor);
        let answer = self.client.get(&url, tag).await?;
        if let Some(answer) = &answer {
            pages::items(&self.settings, answer)?;
        }
        Ok(answer)
    }

    /// Every item of the future, page by page, each handed to `take` as a row.
    async fn read(
        &self,
        first: Answer,
        floor: DateTime<Utc>,
        mut take: impl FnMut(Raw) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        let mut items = Items::new(&self.settings, floor);
        let mut page = first;
        loop {
            for item in items.page(&page)? {
                take(self.row(item))?;
            }
            let Some(url) = items.next(&page)? else { break };
            let next = self.client.get(&url, None).await?;
            page = next.ok_or_else(|| items.incomplete("a page says \"not modified\" unasked"))?;
        }
        items.end()
    }

    /// An item's values by column. What is neither a text nor a number nor a truth is none.
    fn row(&self, item: &serde_json::Value) -> Raw {
        use serde_json::Value;
        let cell = |pointer: &String| match item.pointer(pointer) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(Ok(text.clone())),
            Some(Value::Number(number)) => Some(Ok(number.to_string())),
            Some(Value::Bool(truth)) => Some(Ok(truth.to_string())),
            Some(Value::Array(_) | Value::Object(_)) => Some(Err(())),
        };
        Raw::of(&self.columns, self.pointers.iter().map(cell))
    }

    /// What one read of the future holds, counted; nothing is concluded from it.
    ///
    /// # Errors
    /// As for a snapshot, except that rows which cannot be understood are counted.
    pub async fn survey(&mut self, floor: DateTime<Utc>) -> Result<Survey, SourceError> {
        let begun = Mono::now();
        let Some(first) = self.first(floor, None).await? else {
            return Ok(Survey::default());
        };
        let ahead = first
            .date
            .map(|date| (date - Clock::system().now()).num_seconds());
        let mut surveyor = Surveyor::new(&self.mapping, &self.columns, floor);
        let take = |raw: Raw| {
            surveyor.take(&raw);
            Ok(())
        };
        self.read(first, floor, take).await?;
        Ok(Survey {
            clock_ahead_seconds: ahead,
            read_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            ..surveyor.end()
        })
    }

    /// Every booking asked for by its own address.
    async fn ask_each(
        &self,
        look_up: &LookUp,
        keys: &[BookingKey],
    ) -> Result<Snapshot, SourceError> {
        let mut filling = self.mapping.filling(None);
        for key in keys {
            let url = look_up.url.replace(":id", &client::escaped(&key.0));
            let Some(answer) = self.client.get_if_there(&url).await? else {
                continue;
            };
            let item = answer.body.pointer(&look_up.item).ok_or_else(|| {
                self.client.misfit(format!(
                    "a booking's answer has nothing at \"{}\"",
                    look_up.item
                ))
            })?;
            let row = self.row(item);
            if row.exact(Column::Id) != Some(key.0.as_str()) {
                let problem =
                    "asked for one booking, it answers with another: what is wrong with look_up?";
                return Err(self.client.misfit(problem.to_owned()));
            }
            filling.take(&row)?;
        }
        Ok(filling.end())
    }
}

impl Source for HttpSource {
    fn name(&self) -> &SourceName {
        &self.settings.name
    }

    async fn snapshot(&mut self, floor: DateTime<Utc>) -> Result<Look, SourceError> {
        // The tag of a first page says nothing of the others.
        let spares = self.settings.paging.is_none();
        let tag = self.tag.take().filter(|_| spares);
        let Some(first) = self.first(floor, tag.as_deref()).await? else {
            self.tag = tag;
            return Ok(Look::Unchanged);
        };
        let tag = first.tag.clone();
        let mut filling = self.mapping.filling(Some(floor));
        self.read(first, floor, |raw| filling.take(&raw)).await?;
        self.tag = tag;
        Ok(Look::Snapshot(filling.end()))
    }

    async fn look_up(&mut self, keys: &[BookingKey]) -> Result<Snapshot, SourceError> {
        if let Some(look_up) = &self.settings.look_up
            && keys.len() <= MOST_LOOK_UPS
        {
            return self.ask_each(look_up, keys).await;
        }
        // Once more the whole list, as it stands now.
        let floor = DateTime::UNIX_EPOCH;
        let keys: BTreeSet<&str> = keys.iter().map(|key| key.0.as_str()).collect();
        let mut filling = self.mapping.filling(None);
        let Some(first) = self
            .client
            .get(&pages::first(&self.settings, floor), None)
            .await?
        else {
            return Err(self
                .client
                .misfit("it says \"not modified\" unasked".to_owned()));
        };
        let take = |raw: Raw| match raw.exact(Column::Id) {
            Some(id) if !keys.contains(id) => Ok(()),
            _ => filling.take(&raw),
        };
        self.read(first, floor, take).await?;
        Ok(filling.end())
    }

    fn forget(&mut self) {
        self.tag = None;
    }

    fn mapping(&self) -> Option<String> {
        let columns = self.settings.columns.iter();
        let columns = columns.flat_map(|(ours, pointer)| [ours.as_str(), pointer.as_str()]);
        let read = [self.settings.url.as_str(), self.settings.items.as_str()];
        let read: Vec<&str> = read.into_iter().chain(columns).collect();
        Some(self.mapping.fingerprint(&read))
    }
}
