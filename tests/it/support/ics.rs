//! Reads the calendar part of a mail with parsers of others.

use std::collections::BTreeMap;

use calcard::icalendar::{ICalendarComponent, ICalendarComponentType};
use calcard::{Entry, Parser};
use mail_parser::{MessageParser, MimeHeaders};

/// What a calendar part says: its properties and those of its one event, by name.
#[derive(Debug)]
pub struct Ics {
    /// The method that the part's type names.
    pub method_of_type: String,
    /// The text, as it is written.
    pub text: String,
    pub calendar: BTreeMap<String, String>,
    pub event: BTreeMap<String, String>,
}

/// The calendar part, which must be the last one; `None` where the mail has none.
pub fn of_mail(raw: &[u8]) -> Option<Ics> {
    let mail = MessageParser::default().parse(raw).unwrap();
    let part = mail.parts.iter().find(|part| {
        let kind = part.content_type().unwrap();
        kind.ctype() == "text" && kind.subtype() == Some("calendar")
    })?;
    let parts = mail.root_part().sub_parts().unwrap();
    assert_eq!(parts.len(), 3, "text, HTML, calendar");
    assert!(std::ptr::eq(mail.part(parts[2]).unwrap(), part));
    let kind = part.content_type().unwrap();
    assert_eq!(kind.attribute("charset"), Some("utf-8"));
    let text = String::from_utf8(part.contents().to_vec()).unwrap();
    Some(read(&text, kind.attribute("method").unwrap()))
}

/// One calendar with one event in it, and nothing else.
pub fn read(text: &str, method_of_type: &str) -> Ics {
    let mut parser = Parser::new(text);
    let Entry::ICalendar(calendar) = parser.entry() else {
        panic!("no calendar: {text}")
    };
    assert!(matches!(parser.entry(), Entry::Eof), "one calendar: {text}");
    let [calendar, event] = calendar.components.as_slice() else {
        panic!("one event: {text}")
    };
    assert_eq!(calendar.component_type, ICalendarComponentType::VCalendar);
    assert_eq!(event.component_type, ICalendarComponentType::VEvent);
    Ics {
        method_of_type: method_of_type.to_owned(),
        text: text.to_owned(),
        calendar: properties(calendar),
        event: properties(event),
    }
}

fn properties(component: &ICalendarComponent) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    for entry in &component.entries {
        let value = match entry.values.as_slice() {
            [] => String::new(),
            [value] => value.clone().into_text().unwrap().into_owned(),
            _ => panic!("one value: {entry:?}"),
        };
        let name = entry.name.as_str().to_owned();
        let earlier = properties.insert(name, value);
        assert_eq!(earlier, None, "each property once: {entry:?}");
    }
    properties
}
