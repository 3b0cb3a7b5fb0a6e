//! All previews in one HTML file: telephones and mail frames side by side, nothing loaded from
//! anywhere, so that the file can be sent to those who must approve the words.

use std::fmt::Write as _;

use super::{Preview, size};
use crate::template::{EmailText, SmsText};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8886;--sms:#0062ba;--ink:#fff}\
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:76rem;padding:1.5rem}\
section{border-top:1px solid var(--line);padding:1rem 0 2rem}\
h2{font-size:1.1rem;margin:0 0 .75rem}\
.row{display:flex;flex-wrap:wrap;gap:2rem;align-items:flex-start}\
figure{margin:0}\
figcaption{font-size:.85rem;padding:.25rem .5rem}\
.phone{border:1px solid var(--line);border-radius:1.5rem;padding:1rem;width:19rem}\
.phone b{display:block;text-align:center;padding-bottom:.5rem}\
.bubble{background:var(--sms);color:var(--ink);border-radius:1rem 1rem 1rem .25rem;\
padding:.6rem .8rem;white-space:pre-wrap;overflow-wrap:anywhere}\
.mail{border:1px solid var(--line);border-radius:.5rem;flex:1 1 34rem;min-width:18rem;overflow:hidden}\
.mail dl{display:grid;grid-template-columns:auto 1fr;gap:.1rem .75rem;margin:0;padding:.75rem 1rem;\
border-bottom:1px solid var(--line);overflow-wrap:anywhere}\
.mail dt{font-weight:600}.mail dd{margin:0}\
iframe{border:0;display:block;height:36rem;resize:vertical;width:100%;background:#fff;color-scheme:light}";

/// The whole file.
pub(super) fn page(previews: &[Preview]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Messages</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Messages, as people will read them</h1>\n"
    );
    for preview in previews {
        let _ = writeln!(
            html,
            "<section>\n<h2 id=\"{name}\">{name}</h2>\n<div class=\"row\">",
            name = preview.name
        );
        if let Some(sms) = &preview.sms {
            phone(&mut html, sms);
        }
        if let Some(email) = &preview.email {
            mail(&mut html, preview.name, email);
        }
        html.push_str("</div>\n</section>\n");
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

fn phone(html: &mut String, sms: &SmsText) {
    let _ = writeln!(
        html,
        "<figure class=\"phone\"><b>{}</b><div class=\"bubble\">{}</div>\
         <figcaption>{}</figcaption></figure>",
        escape(&sms.sender),
        escape(&sms.text),
        escape(&size(&sms.segments))
    );
}

/// The HTML part stands in a frame of its own that may do nothing.
fn mail(html: &mut String, name: &str, email: &EmailText) {
    let _ = writeln!(
        html,
        "<figure class=\"mail\"><dl><dt>From</dt><dd>{} &lt;{}&gt;</dd><dt>Subject</dt><dd>{}</dd></dl>\
         <iframe sandbox title=\"E-mail: {name}\" srcdoc=\"{}\"></iframe></figure>",
        escape(&email.from_name),
        escape(&email.from_address),
        escape(&email.subject),
        escape(&email.html)
    );
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            _ => safe.push(c),
        }
    }
    safe
}
