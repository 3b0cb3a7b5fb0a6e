//! The small language of a profile's texts: `{name}` and `{name|filter:argument}`.
//!
//! A text is compiled once, so that a daemon that starts can fill every one of its texts. Filling
//! gives the plain value; the place where it is used (request.rs) escapes it for its kind.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::domain::segments::Encoding;

/// The secrets of a gateway by the names its profile uses. They never print.
pub type Secrets = BTreeMap<String, SecretString>;

/// What a request can say about one SMS.
pub(super) struct Facts<'a> {
    pub(super) to_e164: &'a str,
    pub(super) from: &'a str,
    pub(super) text: &'a str,
    pub(super) encoding: Encoding,
    pub(super) parts: usize,
    pub(super) key: &'a str,
    pub(super) validity: Duration,
    pub(super) callback_url: &'a str,
    pub(super) secrets: &'a Secrets,
}

/// A compiled text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fill(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Value(Value),
}

/// One placeholder, its filter included: only what makes sense can be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `+4740000000`
    ToE164,
    /// `4740000000`
    ToMsisdn,
    From,
    Text,
    /// The words for GSM-7 and UCS-2.
    Encoding {
        gsm7: String,
        ucs2: String,
    },
    Parts,
    Key,
    ValidityMinutes,
    ValiditySeconds,
    CallbackUrl,
    Secret(String),
}

const NAMES: &[&str] = &[
    "to",
    "from",
    "text",
    "encoding",
    "parts",
    "key",
    "validity",
    "callback_url",
];

impl Fill {
    /// Compiles a text; the error says what is wrong and what to write.
    pub(super) fn compile(source: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let tail = &rest[at..];
            if let Some(after) = tail.strip_prefix("{{").or_else(|| tail.strip_prefix("}}")) {
                literal.push_str(&tail[..1]);
                rest = after;
            } else if let Some((inside, after)) =
                tail.strip_prefix('{').and_then(|t| t.split_once('}'))
            {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                pieces.push(Piece::Value(Value::compile(inside)?));
                rest = after;
            } else {
                return Err(
                    "a brace has no partner; a literal brace is written {{ or }}".to_owned(),
                );
            }
        }
        literal.push_str(rest);
        pieces.push(Piece::Literal(literal));
        pieces.retain(|piece| *piece != Piece::Literal(String::new()));
        Ok(Self(pieces))
    }

    /// The text with every placeholder replaced by its plain value.
    pub(super) fn plain(&self, facts: &Facts<'_>) -> String {
        self.with(|value| value.of(facts))
    }

    /// The text with every placeholder replaced by what `replace` makes of it.
    pub(super) fn with(&self, replace: impl Fn(&Value) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Value(value) => replace(value),
        };
        self.0.iter().map(piece).collect()
    }

    /// The placeholders in it.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Value(value) => Some(value),
        })
    }

    /// The names of the secrets in it.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.values().filter_map(|value| {
            if let Value::Secret(name) = value {
                Some(name.as_str())
            } else {
                None
            }
        })
    }

    /// The number this text is, when it is nothing but one placeholder that counts something.
    pub(super) fn number(&self, facts: &Facts<'_>) -> Option<u64> {
        match self.0.as_slice() {
            [Piece::Value(value)] => value.number(facts),
            _ => None,
        }
    }
}

impl Value {
    fn compile(inside: &str) -> Result<Self, String> {
        let (name, filter) = match inside.split_once('|') {
            Some((name, filter)) => (name.trim(), Some(filter.trim())),
            None => (inside.trim(), None),
        };
        if let Some(secret) = name.strip_prefix("secret.") {
            return match filter {
                None if !secret.is_empty() => Ok(Self::Secret(secret.to_owned())),
                _ => Err("write {secret.NAME}, without a filter".to_owned()),
            };
        }
        match (name, filter) {
            ("to", None | Some("e164")) => Ok(Self::ToE164),
            ("to", Some("msisdn")) => Ok(Self::ToMsisdn),
            ("from", None) => Ok(Self::From),
            ("text", None) => Ok(Self::Text),
            ("encoding", None) => Ok(Self::encoding(Encoding::Gsm7.word(), Encoding::Ucs2.word())),
            ("encoding", Some(filter)) => Self::encoding_map(filter),
            ("parts", None) => Ok(Self::Parts),
            ("key", None) => Ok(Self::Key),
            ("validity", Some("mins")) => Ok(Self::ValidityMinutes),
            ("validity", Some("secs")) => Ok(Self::ValiditySeconds),
            ("validity", None) => {
                Err("validity needs its unit: {validity|mins} or {validity|secs}".to_owned())
            }
            ("callback_url", None) => Ok(Self::CallbackUrl),
            (name, Some(filter)) if NAMES.contains(&name) => {
                Err(format!("{{{name}}} does not take the filter \"{filter}\""))
            }
            (name, _) => Err(unknown(name)),
        }
    }

    fn encoding(gsm7: &str, ucs2: &str) -> Self {
        Self::Encoding {
            gsm7: gsm7.to_owned(),
            ucs2: ucs2.to_owned(),
        }
    }

    fn encoding_map(filter: &str) -> Result<Self, String> {
        let usage = || "write {encoding|map:gsm7=…,ucs2=…}, each once".to_owned();
        let pairs = filter.strip_prefix("map:").ok_or_else(usage)?;
        let (mut gsm7, mut ucs2) = (None, None);
        for pair in pairs.split(',') {
            let (word, meaning) = pair.split_once('=').ok_or_else(usage)?;
            let slot = match Encoding::from_word(word.trim()) {
                Some(Encoding::Gsm7) => &mut gsm7,
                Some(Encoding::Ucs2) => &mut ucs2,
                None => return Err(usage()),
            };
            if slot.replace(meaning.trim()).is_some() {
                return Err(usage());
            }
        }
        let (gsm7, ucs2) = gsm7.zip(ucs2).ok_or_else(usage)?;
        Ok(Self::encoding(gsm7, ucs2))
    }

    /// The plain value.
    pub(super) fn of(&self, facts: &Facts<'_>) -> String {
        if let Some(number) = self.number(facts) {
            return number.to_string();
        }
        let text = match self {
            Self::ToE164 => facts.to_e164,
            Self::ToMsisdn => facts.to_e164.trim_start_matches('+'),
            Self::From => facts.from,
            Self::Text => facts.text,
            Self::Encoding { gsm7, ucs2 } => match facts.encoding {
                Encoding::Gsm7 => gsm7,
                Encoding::Ucs2 => ucs2,
            },
            Self::Key => facts.key,
            Self::CallbackUrl => facts.callback_url,
            Self::Secret(name) => facts.secrets.get(name).map_or("", |s| s.expose_secret()),
            Self::Parts | Self::ValidityMinutes | Self::ValiditySeconds => "",
        };
        text.to_owned()
    }

    /// Validity is rounded down, for a late message is worse than none, and is at least one unit,
    /// because gateways read 0 as "for ever".
    fn number(&self, facts: &Facts<'_>) -> Option<u64> {
        match self {
            Self::Parts => u64::try_from(facts.parts).ok(),
            Self::ValidityMinutes => Some((facts.validity.as_secs() / 60).max(1)),
            Self::ValiditySeconds => Some(facts.validity.as_secs().max(1)),
            Self::ToE164
            | Self::ToMsisdn
            | Self::From
            | Self::Text
            | Self::Encoding { .. }
            | Self::Key
            | Self::CallbackUrl
            | Self::Secret(_) => None,
        }
    }
}

fn unknown(name: &str) -> String {
    let nearest = NAMES
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    match nearest {
        Some(near) if strsim::jaro_winkler(near, name) > 0.8 => {
            format!("there is no {{{name}}}; did you mean {{{near}}}?")
        }
        _ => format!(
            "there is no {{{name}}}; there are {} and secret.NAME",
            NAMES.join(", ")
        ),
    }
}
