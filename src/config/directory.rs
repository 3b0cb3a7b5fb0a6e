//! Reads offices.toml into the directory of the domain.
//!
//! Every fault names file, line and key, and all faults of a file are told at once. It checks what
//! one file can show; whether the texts find what they need is checked with the templates.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use self::file::{DigitalToml, DistrictToml, FileToml, LineToml, OfficeToml, ServiceToml, Words};
use crate::domain::contact::{Email, is_region};
use crate::domain::deception::{deceptive, sender_id};
use crate::domain::directory::{
    DigitalRoute, Directory, District, DistrictId, Line, Office, OfficeId, Service, ServiceId,
    ServiceKind,
};
use crate::domain::language::{Language, Texts};

mod edition;
mod file;
mod practice;

const NEVER_ONLINE: &str = "this kind of case can never be submitted online; remove the table";
const NAMES_THE_CASE: &str = "instructions to submit online name the case, and the service is neutral; \
                              remove the table or neutral = true";

/// The model case: the directory that is taken when the configuration names no other.
pub const MODEL_CASE: &str = include_str!("../../config/offices.toml");

/// What is wrong in the file of offices, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {key}: {problem}", file.display())]
pub struct DirectoryFault {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The key, with its table ("offices.gronland.zone").
    pub key: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// The directory a file describes.
///
/// # Errors
/// Every fault of the file; a fault of the syntax is told alone.
pub fn parse(text: &str, file: &Path) -> Result<Directory, Vec<DirectoryFault>> {
    let mut reader = Reader {
        text,
        file,
        faults: Vec::new(),
    };
    match reader.file() {
        Some(directory) if reader.faults.is_empty() => Ok(directory),
        _ => Err(reader.faults),
    }
}

/// Walks the parsed file and gathers faults.
struct Reader<'a> {
    text: &'a str,
    file: &'a Path,
    faults: Vec<DirectoryFault>,
}

impl Reader<'_> {
    /// The file, and then its editions.
    fn file(&mut self) -> Option<Directory> {
        let text = self.text;
        let parsed = DeTable::parse(text).map_err(|error| self.syntax(&error));
        let mut file = parsed.ok()?;
        let written = file.get_mut().remove("edition");
        let mut directory = self.whole(file.clone())?;
        if let (Some(written), true) = (written, self.faults.is_empty()) {
            directory.editions = self.editions(file, written);
        }
        Some(directory)
    }

    /// The directory that a whole tree describes.
    fn whole(&mut self, tree: Spanned<DeTable<'_>>) -> Option<Directory> {
        match FileToml::deserialize(Deserializer::from(tree)) {
            Ok(parsed) => Some(self.directory(parsed)),
            Err(error) => {
                self.syntax(&error);
                None
            }
        }
    }

    fn syntax(&mut self, error: &toml::de::Error) {
        let problem = with_suggestion(error.message());
        self.fault(&error.span().unwrap_or(0..0), problem);
    }

    fn directory(&mut self, file: FileToml) -> Directory {
        let lines: BTreeMap<String, Line> = file
            .lines
            .into_iter()
            .map(|(name, line)| (name, self.line(line)))
            .collect();
        let services = file.services.into_iter().map(|(id, service)| {
            let service = self.service(id.clone(), service);
            (ServiceId(id), service)
        });
        let services: BTreeMap<ServiceId, Service> = services.collect();
        let mut districts = BTreeMap::new();
        for (id, toml) in file.districts {
            let district = self.district(id.clone(), toml, &services);
            districts.insert(DistrictId(id), district);
        }
        self.guidelines(file.guidelines, &mut districts);
        let offices = file.offices.into_iter().filter_map(|(id, office)| {
            let office = self.office(id.clone(), office, &districts, &lines)?;
            Some((OfficeId(id), office))
        });
        let offices: BTreeMap<_, _> = offices.collect();
        if offices.is_empty() && self.faults.is_empty() {
            self.fault(&(0..0), "the file names no office; add [offices.NAME]");
        }
        Directory {
            districts,
            offices,
            services,
            editions: Vec::new(),
        }
    }

    fn district(
        &mut self,
        id: String,
        toml: DistrictToml,
        services: &BTreeMap<ServiceId, Service>,
    ) -> District {
        let agency = self.words(&toml.agency);
        for name in agency.0.values() {
            if let Err(problem) = sender_id(name) {
                self.fault(&toml.agency.span(), problem);
            }
        }
        let routes = toml.digital.into_iter().filter_map(|(service, route)| {
            let route = self.digital(route);
            let id = ServiceId(service.get_ref().clone());
            let problem = match services.get(&id) {
                Some(service) if service.neutral => NAMES_THE_CASE.to_owned(),
                Some(service) if service.kind.may_be_digital() => return Some((id, route)),
                Some(_) => NEVER_ONLINE.to_owned(),
                None => unknown("service", &id.0, services.keys().map(|id| id.0.as_str())),
            };
            self.fault(&service.span(), problem);
            None
        });
        let digital = routes.collect();
        District {
            id: DistrictId(id),
            agency,
            agency_full: self.words(&toml.agency_full),
            email_from: self.mail_address(toml.email_from),
            visit: Vec::new(),
            digital,
        }
    }

    fn service(&mut self, id: String, toml: ServiceToml) -> Service {
        let kind = ServiceKind::from(*toml.kind.get_ref());
        let digital = toml.digital.and_then(|route| {
            if kind.may_be_digital() && !toml.neutral {
                return Some(self.digital(route.into_inner()));
            }
            let why = if toml.neutral {
                NAMES_THE_CASE
            } else {
                NEVER_ONLINE
            };
            self.fault(&route.span(), why);
            None
        });
        Service {
            id: ServiceId(id),
            kind,
            name: self.words(&toml.name),
            digital,
            stay_note: toml.stay_note.map(|note| self.words(&note)),
            application: self.application(kind, toml.application),
            neutral: toml.neutral,
            sms_parts: toml.sms_parts.get(),
        }
    }

    fn digital(&mut self, toml: DigitalToml) -> DigitalRoute {
        if *toml.days.get_ref() == 0 {
            self.fault(&toml.days.span(), "people need at least 1 day to submit");
        }
        DigitalRoute {
            steps: toml.steps.into_texts(),
            info_phone: self.phone(toml.info_phone),
            info_phone_hours: toml.info_phone_hours.into_inner().0,
            days: toml.days.into_inner(),
            validity: self.validity(toml.from.as_ref(), toml.until.as_ref()),
        }
    }

    fn line(&mut self, toml: LineToml) -> Line {
        Line {
            phone: self.phone(toml.phone),
            hours: toml.hours.into_inner().0,
            section: self.words(&toml.section),
        }
    }

    fn office(
        &mut self,
        id: String,
        mut toml: OfficeToml,
        districts: &BTreeMap<DistrictId, District>,
        lines: &BTreeMap<String, Line>,
    ) -> Option<Office> {
        let district = DistrictId(toml.district.get_ref().clone());
        if !districts.contains_key(&district) {
            let known = districts.keys().map(|id| id.0.as_str());
            let problem = unknown("district", &district.0, known);
            self.fault(&toml.district.span(), problem);
        }
        let practice = self.practice(&mut toml);
        let zone = self.zone(&toml.zone);
        let language = self.language(&toml.language);
        let passport_line = self.named_line(toml.passport_line.as_ref(), lines);
        let immigration_line = self.named_line(toml.immigration_line.as_ref(), lines);
        if toml.passport_line.is_none() && toml.immigration_line.is_none() {
            let problem = "the office has neither passport_line nor immigration_line: no text \
                           could name a telephone number";
            self.fault(&toml.district.span(), problem);
        }
        if toml.abroad && toml.city.is_none() {
            let problem = "an office abroad needs city: the texts name whose local time they mean";
            self.fault(&toml.zone.span(), problem);
        }
        Some(Office {
            id: OfficeId(id),
            district,
            name_sms: self.words(&toml.name_sms),
            name_full: self.words(&toml.name_full),
            address: toml.address,
            zone: zone?,
            city: toml.city.map(|city| self.words(&city)),
            abroad: toml.abroad,
            region: self.region(toml.region),
            plausible_regions: toml
                .plausible_regions
                .into_iter()
                .map(|region| self.region(region))
                .collect(),
            language: language?,
            passport_line,
            immigration_line,
            email: toml.email.map(|email| self.mail_address(email)),
            practice,
            sms_parts: toml.sms_parts.get(),
        })
    }

    fn words(&mut self, words: &Spanned<Words>) -> Texts {
        let texts = words.get_ref().clone().into_texts();
        if texts.0.is_empty() || texts.0.values().any(|text| text.trim().is_empty()) {
            self.fault(
                &words.span(),
                "the text is empty; leave the key out instead",
            );
        }
        if let Some(found) = texts.0.values().find_map(|text| deceptive(text)) {
            self.fault(&words.span(), format!("the text has {found}"));
        }
        texts
    }

    fn zone(&mut self, zone: &Spanned<String>) -> Option<Tz> {
        let found = zone.get_ref().parse().ok();
        if found.is_none() {
            let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
            let problem = unknown("time zone", zone.get_ref(), known);
            self.fault(&zone.span(), problem);
        }
        found
    }

    fn language(&mut self, tag: &Spanned<String>) -> Option<Language> {
        tag.get_ref()
            .parse()
            .map_err(|error| self.fault(&tag.span(), format!("{error}")))
            .ok()
    }

    fn named_line(
        &mut self,
        name: Option<&Spanned<String>>,
        lines: &BTreeMap<String, Line>,
    ) -> Option<Line> {
        let name = name?;
        let line = lines.get(name.get_ref());
        if line.is_none() {
            let problem = unknown("line", name.get_ref(), lines.keys().map(String::as_str));
            self.fault(&name.span(), problem);
        }
        line.cloned()
    }

    fn phone(&mut self, phone: Spanned<String>) -> String {
        let plain = |c: char| c.is_ascii_digit() || c == ' ' || c == '+';
        let text = phone.get_ref();
        if !text.chars().all(plain) || !text.chars().any(|c| c.is_ascii_digit()) {
            let problem = "a telephone number has digits, spaces and perhaps a leading +";
            self.fault(&phone.span(), problem);
        }
        phone.into_inner()
    }

    fn region(&mut self, region: Spanned<String>) -> String {
        let text = region.get_ref();
        if !is_region(text) {
            let problem = "a region is two capital letters (ISO 3166-1), such as \"NO\"";
            self.fault(&region.span(), problem);
        }
        region.into_inner()
    }

    fn mail_address(&mut self, address: Spanned<String>) -> String {
        if Email::read(address.get_ref()).is_err() {
            self.fault(&address.span(), "this is not an e-mail address");
        }
        address.into_inner()
    }

    fn fault(&mut self, span: &Range<usize>, problem: impl Into<String>) {
        let (line, key) = place(self.text, span.start);
        self.faults.push(DirectoryFault {
            file: self.file.to_owned(),
            line,
            key,
            problem: problem.into(),
        });
    }
}

/// The line of a byte offset, and the key that stands on it with the table above.
fn place(text: &str, offset: usize) -> (usize, String) {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let header = |line: &str| {
        let inner = line.trim().strip_prefix('[')?.trim_start_matches('[');
        let end = inner.find(']')?;
        Some(inner.get(..end)?.to_owned())
    };
    // A header stands at the start of its line; an indented "[" belongs to a list of values.
    let above: Vec<&str> = text.lines().take(line).collect();
    let table = above.iter().rev().find_map(|line| header(line));
    let own = above.last().filter(|line| header(line).is_none());
    let key = own.and_then(|line| line.split_once('='));
    let parts = [table, key.map(|(key, _)| key.trim().to_owned())];
    let path: Vec<String> = parts.into_iter().flatten().collect();
    (line, path.join("."))
}

/// "X is not known; did you mean Y?", or the list of what is known where nothing is close.
fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let near = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min();
    match near {
        Some((distance, candidate)) if distance <= 1 + name.len() / 4 => {
            format!("{what} \"{name}\" is not known; did you mean \"{candidate}\"?")
        }
        _ if known.len() <= 12 => {
            format!(
                "{what} \"{name}\" is not known; known are {}",
                known.join(", ")
            )
        }
        _ => format!("{what} \"{name}\" is not known"),
    }
}

/// Adds "did you mean" to the parser's message about an unknown key.
fn with_suggestion(message: &str) -> String {
    if let Some(missing) = message.strip_prefix("missing field ") {
        return format!("the key {} is missing: add it", missing.replace('`', "\""));
    }
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return message.to_owned();
    };
    let mut quoted = rest.split('`').step_by(2);
    let name = quoted.next().unwrap_or_default();
    unknown("key", name, quoted.filter(|word| !word.is_empty()))
}
