//! What an SMS may cost: each text at its longest against the parts its header allows.

use std::collections::{BTreeMap, BTreeSet};

use super::inspection::{Inspection, any_reference};
use crate::domain::change::ChangeKind;
use crate::domain::directory::Directory;
use crate::domain::language::Language;
use crate::domain::message::Channel;
use crate::domain::notice::Purpose;
use crate::domain::plan::Telling;
use crate::domain::recipient::Role;
use crate::domain::segments::{Encoding, Segments, fold_typography, segments};
use crate::template::facts::Facts;
use crate::template::limits::Longest;
use crate::template::{SmsText, TemplateFault, one_line, source};

impl Inspection<'_> {
    /// An SMS at the limits: each language alone, and where each fits, both together.
    pub(super) fn sms_length(&mut self, telling: &Telling, both: &[(Language, Facts)]) {
        let mut written = Vec::new();
        for (language, facts) in both {
            let facts = Longest::known().stretch(*language, facts.clone());
            let core = self.templates.core(telling.purpose, *language, &facts);
            let tail = self.templates.block("tail", *language, &facts);
            match (core, tail) {
                (Ok(core), Ok(tail)) => written.push((*language, core, one_line(&tail))),
                (core, tail) => {
                    let failed = core.err().into_iter().chain(tail.err());
                    failed.for_each(|failed| self.failed(failed));
                }
            }
        }
        // A line that is closed for days is told with its opening; that may cost a part more.
        let opens = |(_, facts): &(Language, Facts)| facts.has("phone_opens");
        let more = usize::from(both.iter().any(opens));
        let alone = written.iter().map(|(language, core, tail)| {
            self.too_long(
                telling.purpose,
                &[*language],
                more,
                &format!("{core} {tail}"),
            )
        });
        let mut faults: Vec<(usize, TemplateFault)> = alone.flatten().collect();
        if let ([(first, one, tail), (second, other, its_tail)], true) =
            (written.as_slice(), faults.is_empty())
        {
            let text = format!("{one}\n\n{other} {tail}");
            let turned = format!("{other}\n\n{one} {its_tail}");
            faults.extend(self.too_long(telling.purpose, &[*first, *second], more, &text));
            faults.extend(self.too_long(telling.purpose, &[*second, *first], more, &turned));
        }
        for (units, fault) in faults {
            keep_longest(
                &mut self.too_long,
                (fault.file.clone(), fault.place.map(|place| place.line)),
                units,
                fault,
            );
        }
    }

    /// The fault of a text that takes more parts than its languages allow.
    fn too_long(
        &self,
        purpose: Purpose,
        languages: &[Language],
        more: usize,
        text: &str,
    ) -> Option<(usize, TemplateFault)> {
        let text = fold_typography(text);
        let counted = segments(&text);
        let allowed = self.allowed(purpose, languages.iter().copied(), 1) + more * languages.len();
        if counted.parts <= allowed {
            return None;
        }
        let language = *languages.first()?;
        let problem = too_long(&counted, allowed);
        let fault = self.length_fault(purpose, language, (&text, &counted), problem);
        Some((counted.units, fault))
    }

    /// How many parts a text may cost in these languages, of which `each` is allowed anyhow.
    pub(super) fn allowed(
        &self,
        purpose: Purpose,
        languages: impl Iterator<Item = Language>,
        each: usize,
    ) -> usize {
        let of = |language| {
            let source = self.source(purpose, language, Channel::Sms);
            source
                .and_then(|source| source.max_parts().ok())
                .unwrap_or(1)
                .max(each)
        };
        languages.map(of).sum()
    }

    pub(super) fn sms(&mut self, telling: &Telling, directory: &Directory) -> Option<SmsText> {
        let stretch = |language, facts: Facts| Longest::known().stretch(language, facts);
        let sms = self
            .templates
            .sms_of(telling, directory, any_reference(), stretch);
        sms.map_err(|failed| self.failed(failed)).ok()
    }

    /// A fault of length stands on the line of the character that costs most, or else on the line
    /// most of the text comes from.
    pub(super) fn length_fault(
        &self,
        purpose: Purpose,
        language: Language,
        (text, counted): (&str, &Segments),
        problem: String,
    ) -> TemplateFault {
        let forced = counted.forced_by.first().map(|(_, c)| c.to_string());
        let core = text.split("\n\n").next().unwrap_or_default();
        let place = self
            .source(purpose, language, Channel::Sms)
            .and_then(|source| {
                let costly = forced.and_then(|c| source.place_of(&c));
                costly.or_else(|| source.line_behind(core))
            });
        TemplateFault {
            file: self
                .templates
                .path(&source::text_name(purpose, language, Channel::Sms)),
            place,
            problem,
            warning: false,
            remedy: None,
        }
    }
}

/// Keeps the fault of the longest text under a key, so that one line is told once.
pub(super) fn keep_longest<K: Ord>(
    kept: &mut BTreeMap<K, (usize, TemplateFault)>,
    key: K,
    units: usize,
    fault: TemplateFault,
) {
    if kept.get(&key).is_none_or(|(most, _)| units > *most) {
        kept.insert(key, (units, fault));
    }
}

/// What the reference texts promise to fit. An identity card's name is longer than a passport's and
/// a number abroad longer than one at home, so only the texts written for them are promised.
pub(super) fn fits_at_limits(telling: &Telling) -> bool {
    let cancelled = telling.purpose == Purpose::Cancellation;
    // "timen til barnet" is longer than "timen for pass".
    if matches!(telling.role, Role::Guardian(_)) && !cancelled {
        return false;
    }
    let moved_in_time = telling.change.kind
        == ChangeKind::Moved {
            time: true,
            office: false,
        };
    let (identity_card, abroad) = (
        telling.service.0 == "id_card",
        telling.change.new.office.0 == "abroad",
    );
    let particulars = &telling.particulars;
    if (identity_card && (particulars.choose_by.is_some() || particulars.canceller_unknown))
        || (abroad && particulars.bundle.is_some())
    {
        return false;
    }
    match (
        telling.service.0.as_str(),
        telling.change.new.office.0.as_str(),
    ) {
        ("id_card", "abroad") => false,
        ("id_card", _) => cancelled,
        (_, "abroad") => cancelled || moved_in_time,
        _ => true,
    }
}

pub(super) fn too_long(segments: &Segments, allowed: usize) -> String {
    let parts = segments.parts;
    let units = segments.units;
    let mut problem = match segments.encoding {
        Encoding::Gsm7 => format!("the SMS can take {parts} parts ({units} septets)"),
        Encoding::Ucs2 => format!("the SMS can take {parts} parts ({units} units of UCS-2)"),
    };
    problem.push_str(&format!(", and {allowed} are allowed"));
    let forced: BTreeSet<char> = segments.forced_by.iter().map(|(_, c)| *c).collect();
    if !forced.is_empty() {
        let forced: Vec<String> = forced.iter().map(|c| format!("\"{c}\"")).collect();
        problem.push_str(&format!("; {} cost most: write without", forced.join(", ")));
    }
    problem
}
