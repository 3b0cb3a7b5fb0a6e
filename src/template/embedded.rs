//! The texts that are built in: templates/ as it was when the binary was made.
//!
//! A test compares this table with the folder, so that no file is forgotten.

macro_rules! texts {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../templates/", $name)))),*]
    };
}

/// Every built-in file by its name below templates/.
pub(super) const TEXTS: &[(&str, &str)] = texts![
    "blocks/citizenship.en.txt",
    "blocks/citizenship.nb.txt",
    "blocks/critical.en.txt",
    "blocks/critical.nb.txt",
    "blocks/genuine.en.txt",
    "blocks/genuine.nb.txt",
    "blocks/local_time.en.txt",
    "blocks/local_time.nb.txt",
    "blocks/next_book.en.txt",
    "blocks/next_book.nb.txt",
    "blocks/next_contact.en.txt",
    "blocks/next_contact.nb.txt",
    "blocks/next_invite.en.txt",
    "blocks/next_invite.nb.txt",
    "blocks/next_phone.en.txt",
    "blocks/next_phone.nb.txt",
    "blocks/next_step.en.txt",
    "blocks/next_step.nb.txt",
    "blocks/next_unknown.en.txt",
    "blocks/next_unknown.nb.txt",
    "blocks/next_website.en.txt",
    "blocks/next_website.nb.txt",
    "blocks/phone.en.txt",
    "blocks/phone.nb.txt",
    "blocks/pointer.en.txt",
    "blocks/pointer.nb.txt",
    "blocks/reason.en.txt",
    "blocks/reason.nb.txt",
    "blocks/stay.en.txt",
    "blocks/stay.nb.txt",
    "blocks/submit_online.en.txt",
    "blocks/submit_online.nb.txt",
    "blocks/tail.en.txt",
    "blocks/tail.nb.txt",
    "blocks/visit.en.txt",
    "blocks/visit.nb.txt",
    "blocks/window.en.txt",
    "blocks/window.nb.txt",
    "cancellation/en.email.txt",
    "cancellation/en.sms.txt",
    "cancellation/nb.email.txt",
    "cancellation/nb.sms.txt",
    "change/en.email.txt",
    "change/en.sms.txt",
    "change/nb.email.txt",
    "change/nb.sms.txt",
    "digital_invitation/en.email.txt",
    "digital_invitation/nb.email.txt",
    "reinstatement/en.email.txt",
    "reinstatement/en.sms.txt",
    "reinstatement/nb.email.txt",
    "reinstatement/nb.sms.txt",
];
