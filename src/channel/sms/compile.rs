//! From what a profile's file says to what runs: every rule a profile must keep, with its remedy.

use std::time::Duration;

use regex::{Regex, RegexBuilder};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName};
use reqwest::{Method, Url};

use super::answer::{Class, Row, Table};
use super::lookup::Lookup;
use super::placeholder::{Fill, Value};
use super::profile::{
    AnswerSettings, BodySettings, DedupSettings, LookupSettings, Profile, ReportSettings,
    RequestSettings, Settings, TIMEOUT_LIMIT_SECONDS,
};
use super::report::ReportTable;
use super::request::{Body, Form, Tree};
use crate::domain::outcome::ReportState;

/// No gateway takes longer messages than GSM can number (3GPP TS 23.040, 9.2.3.24.1).
const MAX_PARTS_LIMIT: usize = 255;
const REGEX_SIZE_LIMIT_BYTES: usize = 1 << 20;
/// Nobody waits longer for a gateway's memory than this.
const LOOKUP_LIMIT_SECONDS: u64 = 86_400;
const GATEWAY_NAME_LIMIT_CHARS: usize = 32;

/// What is wrong, and under which key.
pub(super) struct Fault {
    pub(super) path: Vec<String>,
    pub(super) problem: String,
}

type Checked<T> = Result<T, Fault>;

fn at<T>(path: &[&str], checked: Result<T, String>) -> Checked<T> {
    checked.map_err(|problem| fault(path, problem))
}

fn fault(path: &[&str], problem: impl Into<String>) -> Fault {
    Fault {
        path: path.iter().map(|step| (*step).to_owned()).collect(),
        problem: problem.into(),
    }
}

/// Compiles a whole profile.
pub(super) fn profile(name: &str, settings: Settings) -> Checked<Profile> {
    check_name(name)?;
    check_limits(&settings)?;
    let seconds = Duration::from_secs;
    let form = form(&settings.url, settings.request)?;
    let dedup = settings
        .dedup
        .map(|table| dedup(&table, &form))
        .transpose()?;
    Ok(Profile {
        name: name.to_owned(),
        connect_timeout: seconds(settings.connect_timeout_seconds),
        timeout: seconds(settings.timeout_seconds),
        keep_alive: settings.keep_alive_seconds.map(seconds),
        max_parts: settings.max_parts,
        form,
        table: table(&settings.answer)?,
        report: settings.report.map(report).transpose()?,
        dedup,
        lookup: settings.lookup.map(lookup).transpose()?,
    })
}

fn check_name(name: &str) -> Checked<()> {
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || name.len() > GATEWAY_NAME_LIMIT_CHARS || !name.chars().all(fit) {
        let rule =
            "a gateway's name stands in URLs: a to z, 0 to 9, - and _, at most 32 characters";
        return Err(fault(&["name"], rule));
    }
    Ok(())
}

fn check_limits(settings: &Settings) -> Checked<()> {
    if !(1..=TIMEOUT_LIMIT_SECONDS).contains(&settings.timeout_seconds) {
        let rule = format!("takes 1 to {TIMEOUT_LIMIT_SECONDS} seconds");
        return Err(fault(&["timeout_seconds"], rule));
    }
    // Otherwise a connection that was never made would end as an unknown.
    if !(1..settings.timeout_seconds).contains(&settings.connect_timeout_seconds) {
        let rule = "must be at least 1 and shorter than timeout_seconds";
        return Err(fault(&["connect_timeout_seconds"], rule));
    }
    if !(1..=MAX_PARTS_LIMIT).contains(&settings.max_parts) {
        return Err(fault(
            &["max_parts"],
            format!("takes 1 to {MAX_PARTS_LIMIT}"),
        ));
    }
    Ok(())
}

/// Checks and compiles a gateway's address.
pub(super) fn url(text: &str) -> Result<Fill, String> {
    let fill = Fill::compile(text)?;
    if !fill.values().all(|value| matches!(value, Value::Secret(_))) {
        return Err("only secrets can be filled into the address; use request.query".to_owned());
    }
    let sample = Url::parse(&fill.with(|_| "x".to_owned()));
    match sample.map(|url| (url.scheme().to_owned(), url.fragment().is_some())) {
        Ok((scheme, false)) if scheme == "http" || scheme == "https" => Ok(fill),
        _ => Err("must be an address like https://sms.example.net/send".to_owned()),
    }
}

fn form(address: &str, settings: RequestSettings) -> Checked<Form> {
    let method = match settings.method.as_str() {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        _ => return Err(fault(&["request", "method"], "takes GET, POST or PUT")),
    };
    let mut headers = Vec::new();
    for (name, text) in settings.headers {
        headers.push(at(&["request", "headers", &name], header(&name, &text))?);
    }
    let body = body(settings.body)?;
    if method == Method::GET && !matches!(body, Body::None) {
        return Err(fault(
            &["request", "body"],
            "GET has no body; use request.query",
        ));
    }
    let form = Form {
        method,
        url: at(&["url"], url(address))?,
        query: fields(&["request", "query"], settings.query)?,
        headers,
        body,
    };
    check_uses(&form)?;
    Ok(form)
}

fn header(name: &str, text: &str) -> Result<(HeaderName, Fill), String> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| "is not the name of a header".to_owned())?;
    if [HOST, CONTENT_LENGTH].contains(&header) {
        return Err("is set by Varsel itself".to_owned());
    }
    let fill = Fill::compile(text)?;
    if fill.values().any(|value| *value == Value::Text) {
        return Err(
            "an SMS can hold line breaks, and a header cannot: put {text} into \
                    request.body or request.query"
                .to_owned(),
        );
    }
    if header == CONTENT_TYPE && fill.values().next().is_some() {
        return Err("takes a constant".to_owned());
    }
    Ok((header, fill))
}

fn fields(
    path: &[&str],
    fields: impl IntoIterator<Item = (String, String)>,
) -> Checked<Vec<(String, Fill)>> {
    let mut compiled = Vec::new();
    for (name, text) in fields {
        let fill = at(&[path, &[&name]].concat(), Fill::compile(&text))?;
        compiled.push((name, fill));
    }
    Ok(compiled)
}

fn body(settings: BodySettings) -> Checked<Body> {
    let path = ["request", "body"];
    match (settings.text, settings.form, settings.json) {
        (None, None, None) => Ok(Body::None),
        (Some(text), None, None) => Ok(Body::Text(at(
            &["request", "body", "text"],
            Fill::compile(&text),
        )?)),
        (None, Some(form), None) => Ok(Body::Form(fields(&["request", "body", "form"], form)?)),
        (None, None, Some(json)) => Ok(Body::Json(tree(
            &mut path.map(str::to_owned).to_vec(),
            "json",
            json,
        )?)),
        _ => Err(fault(&path, "takes one of text, form and json")),
    }
}

fn tree(path: &mut Vec<String>, step: &str, value: toml::Value) -> Checked<Tree> {
    path.push(step.to_owned());
    let tree = match value {
        toml::Value::String(text) => Tree::Fill(Fill::compile(&text).map_err(|problem| Fault {
            path: path.clone(),
            problem,
        })?),
        toml::Value::Integer(number) => Tree::Constant(number.into()),
        toml::Value::Float(number) => Tree::Constant(number.into()),
        toml::Value::Boolean(truth) => Tree::Constant(truth.into()),
        toml::Value::Datetime(_) => {
            let problem = "JSON has no dates: write it as a text".to_owned();
            return Err(Fault {
                path: path.clone(),
                problem,
            });
        }
        toml::Value::Array(items) => {
            let items = items.into_iter().enumerate();
            let items = items.map(|(row, item)| tree(path, &(row + 1).to_string(), item));
            Tree::List(items.collect::<Checked<_>>()?)
        }
        toml::Value::Table(members) => {
            let members = members.into_iter();
            let members = members.map(|(name, m)| Ok((name.clone(), tree(path, &name, m)?)));
            Tree::Map(members.collect::<Checked<_>>()?)
        }
    };
    path.pop();
    Ok(tree)
}

/// A request that leaves out the number or the text would be accepted and reach nobody.
fn check_uses(form: &Form) -> Checked<()> {
    let fills = form.fills();
    let uses = |wanted: &[Value]| fills.iter().any(|f| f.values().any(|v| wanted.contains(v)));
    if !uses(&[Value::ToE164, Value::ToMsisdn]) {
        return Err(fault(
            &["request"],
            "says nowhere {to}: nobody would get the message",
        ));
    }
    if !uses(&[Value::Text]) {
        return Err(fault(
            &["request"],
            "says nowhere {text}: the message would be empty",
        ));
    }
    Ok(())
}

fn table(settings: &[AnswerSettings]) -> Checked<Table> {
    let mut rows: Vec<Row> = Vec::new();
    for (index, setting) in settings.iter().enumerate() {
        let number = (index + 1).to_string();
        let row = row(&number, setting)?;
        if let Some(earlier) = rows.iter().position(|earlier| hides(earlier, &row)) {
            let problem = format!("can never be used: answer {} comes first", earlier + 1);
            return Err(fault(&["answer", &number, "status"], problem));
        }
        rows.push(row);
    }
    if !rows.iter().any(|row| row.class == Class::Accepted) {
        return Err(fault(&["answer"], "has no row with outcome = \"accepted\""));
    }
    Ok(Table::new(rows))
}

fn hides(earlier: &Row, later: &Row) -> bool {
    earlier.body.is_none()
        && earlier.status.0 <= later.status.0
        && later.status.1 <= earlier.status.1
}

fn row(number: &str, setting: &AnswerSettings) -> Checked<Row> {
    let pattern = setting.body.as_deref().map(pattern).transpose();
    if let Some(pointer) = &setting.gateway_id
        && !pointer.starts_with('/')
    {
        let rule = "is a JSON pointer (RFC 6901) like /messages/0/id";
        return Err(fault(&["answer", number, "gateway_id"], rule));
    }
    Ok(Row {
        status: at(&["answer", number, "status"], status(&setting.status))?,
        body: at(&["answer", number, "body"], pattern)?,
        class: setting.outcome,
        gateway_id: setting.gateway_id.clone(),
        cause: setting.cause.clone(),
    })
}

fn status(value: &toml::Value) -> Result<(u16, u16), String> {
    let number = |text: &str| {
        text.trim()
            .parse::<u16>()
            .ok()
            .filter(|n| (100..600).contains(n))
    };
    let range = match value.as_str() {
        Some(text) => text
            .split_once("..")
            .and_then(|(a, b)| number(a).zip(number(b))),
        None => number(&value.to_string()).map(|n| (n, n)),
    };
    range
        .filter(|(first, last)| first <= last)
        .ok_or_else(|| "takes a status like 202 or a range like \"400..499\"".to_owned())
}

fn pattern(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(REGEX_SIZE_LIMIT_BYTES)
        .build()
        .map_err(|error| format!("is not a regular expression: {error}"))
}

/// A gateway can only tell two hand-overs apart, or the same, by the key it is given.
fn dedup(settings: &DedupSettings, form: &Form) -> Checked<Duration> {
    let says_key = form
        .fills()
        .iter()
        .any(|f| f.values().any(|v| *v == Value::Key));
    if !says_key {
        let problem = "needs {key} in the request: without it the gateway knows no message again";
        return Err(fault(&["dedup"], problem));
    }
    if settings.window_seconds == 0 {
        let problem = "takes 1 or more; a gateway without a window has no table \"dedup\"";
        return Err(fault(&["dedup", "window_seconds"], problem));
    }
    Ok(Duration::from_secs(settings.window_seconds))
}

fn lookup(settings: LookupSettings) -> Checked<Lookup> {
    let path = at(&["lookup", "path"], lookup_path(&settings.path))?;
    let query = fields(&["lookup", "query"], settings.query)?;
    let mut headers = Vec::new();
    for (name, text) in settings.headers {
        headers.push(at(&["lookup", "headers", &name], header(&name, &text))?);
    }
    let mut rows = Vec::new();
    for (index, setting) in settings.answer.iter().enumerate() {
        let number = (index + 1).to_string();
        let row = row(&number, setting).map_err(|fault| Fault {
            path: [vec!["lookup".to_owned()], fault.path].concat(),
            ..fault
        })?;
        if !matches!(row.class, Class::Accepted | Class::NotSent | Class::Unknown) {
            let rule =
                "takes accepted (it knows the key), not_sent (it certainly does not) or unknown";
            return Err(fault(&["lookup", "answer", &number, "outcome"], rule));
        }
        rows.push(row);
    }
    if !(1..=LOOKUP_LIMIT_SECONDS).contains(&settings.within_seconds) {
        let rule = format!("takes 1 to {LOOKUP_LIMIT_SECONDS}");
        return Err(fault(&["lookup", "within_seconds"], rule));
    }
    let lookup = Lookup {
        path,
        query,
        headers,
        table: Table::new(rows),
        within: Duration::from_secs(settings.within_seconds),
    };
    let fills = lookup.fills();
    let values: Vec<&Value> = fills.iter().flat_map(|fill| fill.values()).collect();
    if !values.contains(&&Value::Key) {
        return Err(fault(
            &["lookup"],
            "says nowhere {key}: it asks for no message",
        ));
    }
    let tells_more = |value: &&Value| !matches!(value, Value::Key | Value::Secret(_));
    if values.iter().any(tells_more) {
        let rule = "can only say {key} and {secret.NAME}";
        return Err(fault(&["lookup"], rule));
    }
    Ok(lookup)
}

/// The question goes where the messages go, wherever the gateway's address is set to.
fn lookup_path(text: &str) -> Result<Fill, String> {
    let fill = Fill::compile(text)?;
    let sample = fill.with(|_| "x".to_owned());
    let fits = sample.starts_with('/') && !sample.starts_with("//") && !sample.contains(['?', '#']);
    fits.then_some(fill).ok_or_else(|| {
        "must be a path like /messages/{key}; a query stands in lookup.query".to_owned()
    })
}

fn report(settings: ReportSettings) -> Checked<ReportTable> {
    let words = || {
        ReportState::ALL
            .iter()
            .map(|s| s.word())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut table = ReportTable {
        state: settings.state,
        words: [].into(),
        detail: None,
        within: Duration::from_secs(settings.within_seconds),
    };
    for (word, meaning) in settings.words {
        let state = ReportState::from_word(&meaning)
            .ok_or_else(|| fault(&["report", "words", &word], format!("takes {}", words())))?;
        table.words.insert(word, state);
    }
    if !table
        .words
        .values()
        .any(|state| *state == ReportState::Delivered)
    {
        return Err(fault(&["report", "words"], "has no word for delivered"));
    }
    if let Some(detail) = settings.detail {
        let keep = at(&["report", "detail", "keep"], pattern(&detail.keep))?;
        table.detail = Some((detail.parameter, keep));
    }
    Ok(table)
}
