//! What the rules and texts make of a case, and where that misses what is expected.

use chrono::{DateTime, Utc};

use super::Tried;
use super::expectation::{Case, Expected, Given, GivenClosing, Happens};
use crate::config::{ConfigError, did_you_mean};
use crate::domain::about::About;
use crate::domain::appointment::{Appointment, BookingKey, BookingState, SourceName, Standing};
use crate::domain::calendar;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::closing::{Closing, ClosingKind, NextStep};
use crate::domain::contact::{Contact, Regions};
use crate::domain::directory::{Office, OfficeId, ServiceId};
use crate::domain::language::{Language, Texts};
use crate::domain::message::Channel;
use crate::domain::plan::{self, Circumstances, NoPlan};
use crate::domain::recipient::{Recipient, Role};
use crate::domain::reference::Reference;

/// The person of every case; the number and the domain are reserved for examples.
const PHONE: &str = "+47 407 00 000";
const EMAIL: &str = "person@example.com";

/// What an expected text writes where the reference stands.
const REFERENCE: &str = "{ref}";

/// One way in which a case misses.
pub(super) struct Miss {
    /// The line of the expectation, where one is concerned.
    pub(super) line: Option<usize>,
    /// What was expected and what was found.
    pub(super) problem: String,
}

/// One message that the rules ask for.
struct Found {
    purpose: &'static str,
    channel: Channel,
    subject: Option<String>,
    text: String,
    parts: Option<usize>,
}

/// Where a case misses; none if it is as expected.
///
/// # Errors
/// When the case names something that the directory does not have.
pub(super) fn misses(case: &Case, tried: &Tried<'_>) -> Result<Vec<Miss>, ConfigError> {
    let mut found = match found(&case.given, tried)? {
        Ok(found) => found,
        Err(problem) => {
            return Ok(vec![Miss {
                line: None,
                problem,
            }]);
        }
    };
    let mut misses = Vec::new();
    for expected in &case.expected {
        let fits = |found: &Found| {
            found.purpose == expected.purpose && found.channel.word() == expected.channel
        };
        let Some(at) = found.iter().position(fits) else {
            let there: Vec<String> = found.iter().map(Found::named).collect();
            misses.push(Miss {
                line: Some(expected.line),
                problem: format!(
                    "expected {} by {}, and there is {}",
                    expected.purpose,
                    expected.channel,
                    if there.is_empty() {
                        "nothing else".to_owned()
                    } else {
                        there.join(", ")
                    }
                ),
            });
            continue;
        };
        let found = found.remove(at);
        let problems = differences(expected, &found);
        misses.extend(problems.into_iter().map(|problem| Miss {
            line: Some(expected.line),
            problem,
        }));
    }
    misses.extend(found.iter().map(|found| Miss {
        line: None,
        problem: format!("nobody expected {}:\n{}", found.named(), found.text),
    }));
    Ok(misses)
}

impl Found {
    fn named(&self) -> String {
        format!("{} by {}", self.purpose, self.channel)
    }
}

/// The messages that the rules and texts make of the case, or why they make none.
fn found(given: &Given, tried: &Tried<'_>) -> Result<Result<Vec<Found>, String>, ConfigError> {
    let (appointment, recipient, change, now) = staged(given, tried)?;
    let closings: Vec<Closing> = given
        .closing
        .as_ref()
        .map(|closing| read_closing(closing, &change.old.office))
        .transpose()?
        .into_iter()
        .collect();
    let around = Circumstances {
        now,
        directory: tried.directory,
        closings: &closings,
        rules: tried.rules,
    };
    let notices = match plan::plan(&appointment, &recipient, &change, &[], &around) {
        Ok(notices) => notices,
        Err(NoPlan::Past) => return Ok(Ok(Vec::new())),
        Err(problem) => return Ok(Err(problem.to_string())),
    };
    let reference = Reference::draw(0);
    let mut found = Vec::new();
    for notice in &notices {
        for message in &notice.messages {
            let (subject, text, parts) = match message.channel {
                Channel::Sms => {
                    match tried
                        .templates
                        .sms(&notice.telling, tried.directory, reference)
                    {
                        Ok(sms) => (None, sms.text, Some(sms.segments.parts)),
                        Err(error) => return Ok(Err(error.to_string())),
                    }
                }
                Channel::Email => {
                    match tried
                        .templates
                        .email(&notice.telling, tried.directory, reference)
                    {
                        Ok(email) => (Some(email.subject), email.text, None),
                        Err(error) => return Ok(Err(error.to_string())),
                    }
                }
                Channel::Phone => (None, String::new(), None),
            };
            found.push(Found {
                purpose: notice.telling.purpose.word(),
                channel: message.channel,
                subject,
                text,
                parts,
            });
        }
    }
    Ok(Ok(found))
}

fn staged(
    given: &Given,
    tried: &Tried<'_>,
) -> Result<(Appointment, Recipient, Change, DateTime<Utc>), ConfigError> {
    let old = office(&given.office, tried)?;
    let new = match &given.new_office {
        Some(id) => office(id, tried)?,
        None => old,
    };
    let service = ServiceId(given.service.clone());
    if !tried.directory.services.contains_key(&service) {
        let known: Vec<&str> = tried
            .directory
            .services
            .keys()
            .map(|id| id.0.as_str())
            .collect();
        let problem = format!("service \"{service}\" is not in the directory");
        return Err(ConfigError::new(problem, did_you_mean(&service.0, &known)));
    }
    let role: Role = match given.role.as_deref().unwrap_or("applicant").parse() {
        Ok(role) => role,
        Err(error) => return Err(ConfigError::new(error.to_string(), "")),
    };
    let language = given
        .language
        .as_deref()
        .map(str::parse::<Language>)
        .transpose();
    let language = language.map_err(|error| ConfigError::new(error.to_string(), ""))?;
    let now = calendar::instant(given.now.0, old.zone);
    let change = change_of(given, old, new);
    let regions = Regions {
        default: "NO",
        plausible: &[],
    };
    let phone = Some(PHONE).filter(|_| given.has_phone);
    let email = Some(EMAIL).filter(|_| given.has_email);
    let recipient = Recipient {
        role,
        contact: Contact::read(phone, email, regions),
        language,
    };
    let appointment = Appointment {
        source: SourceName("expectations".to_owned()),
        key: BookingKey("1".to_owned()),
        state: change.new.clone(),
        service,
        recipients: vec![recipient.clone()],
        about: About::default(),
    };
    Ok((appointment, recipient, change, now))
}

/// The change, with local times at the offices concerned.
fn change_of(given: &Given, old: &Office, new: &Office) -> Change {
    let before = BookingState {
        standing: Standing::Active,
        start: calendar::instant(given.start.0, old.zone),
        office: old.id.clone(),
    };
    let after = BookingState {
        standing: Standing::Active,
        start: match given.new_start {
            Some(start) => calendar::instant(start.0, new.zone),
            None => before.start,
        },
        office: new.id.clone(),
    };
    let cancelled = |state: &BookingState| BookingState {
        standing: Standing::Cancelled,
        ..state.clone()
    };
    match given.happens {
        Happens::Cancelled => Change {
            kind: ChangeKind::Cancelled,
            new: cancelled(&before),
            old: before,
        },
        Happens::Reinstated => Change {
            kind: ChangeKind::Reinstated,
            old: cancelled(&before),
            new: after,
        },
        Happens::Moved => Change {
            kind: ChangeKind::Moved {
                time: before.start != after.start,
                office: before.office != after.office,
            },
            old: before,
            new: after,
        },
    }
}

fn office<'a>(id: &str, tried: &'a Tried<'_>) -> Result<&'a Office, ConfigError> {
    let offices = &tried.directory.offices;
    offices.get(&OfficeId::from(id)).ok_or_else(|| {
        let known: Vec<&str> = offices.keys().map(|id| id.0.as_str()).collect();
        let problem = format!("office \"{id}\" is not in the directory");
        ConfigError::new(problem, did_you_mean(id, &known))
    })
}

fn read_closing(given: &GivenClosing, office: &OfficeId) -> Result<Closing, ConfigError> {
    let wrong = |what: &str, word: &str, known: &[&str]| {
        ConfigError::new(
            format!("\"{word}\" is not {what}"),
            did_you_mean(word, known),
        )
    };
    let kind = match given.kind.as_str() {
        "closed" => ClosingKind::Closed,
        "reduced" => ClosingKind::Reduced,
        other => return Err(wrong("a kind of closing", other, &["closed", "reduced"])),
    };
    let next = match given.next.as_str() {
        "book" => NextStep::Book,
        "we_invite" => NextStep::WeInvite,
        "phone" => NextStep::Phone,
        "contact" => NextStep::Contact,
        "unknown" => NextStep::Unknown,
        other => {
            let known = ["book", "we_invite", "phone", "contact", "unknown"];
            return Err(wrong("a next step", other, &known));
        }
    };
    let mut reason = Texts::default();
    for (tag, text) in &given.reason {
        let language: Language = tag
            .parse()
            .map_err(|error| ConfigError::new(format!("{error}"), ""))?;
        reason.0.insert(language, text.clone());
    }
    Ok(Closing {
        max: 0,
        offices: vec![office.clone()],
        kinds: Vec::new(),
        from: given.from.0,
        to: given.to.0,
        kind,
        next,
        reason,
    })
}

fn differences(expected: &Expected, found: &Found) -> Vec<String> {
    let reference = Reference::draw(0).to_string();
    let meant = |text: &str| text.trim().replace(REFERENCE, &reference);
    let mut problems = Vec::new();
    if let Some(text) = &expected.text {
        problems.extend(difference("the text", &meant(text), found.text.trim()));
    }
    if let (Some(subject), Some(found)) = (&expected.subject, &found.subject) {
        problems.extend(difference("the subject", &meant(subject), found));
    }
    let subject = found.subject.as_deref().unwrap_or_default();
    let all = format!("{subject}\n{}", found.text);
    for part in expected
        .contains
        .iter()
        .filter(|part| !all.contains(&meant(part)))
    {
        problems.push(format!("does not say \"{part}\":\n{all}"));
    }
    for part in expected
        .lacks
        .iter()
        .filter(|part| all.contains(&meant(part)))
    {
        problems.push(format!("says \"{part}\":\n{all}"));
    }
    if let (Some(parts), Some(found)) = (expected.parts, found.parts)
        && parts != found
    {
        problems.push(format!("costs {found} parts, and {parts} are expected"));
    }
    problems
}

/// Where two texts part, with what each says from there.
fn difference(what: &str, expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let same = expected
        .chars()
        .zip(found.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let rest = |text: &str| text.chars().skip(same).collect::<String>();
    let line = expected.chars().take(same).filter(|c| *c == '\n').count() + 1;
    Some(format!(
        "{what} differs from character {} on (its line {line}):\n  expected: {:?}\n  found:    {:?}",
        same + 1,
        rest(expected),
        rest(found)
    ))
}
