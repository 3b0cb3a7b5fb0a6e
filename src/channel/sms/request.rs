//! Builds the request of one SMS: every value is escaped for the place where it stands, so that no
//! text, number or sender can break out of it.

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value as Json;

use super::placeholder::{Facts, Fill};

/// The compiled request of a profile.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) method: Method,
    /// The gateway's address. Only secrets may be filled in (an account in the path).
    pub(super) url: Fill,
    pub(super) query: Vec<(String, Fill)>,
    pub(super) headers: Vec<(HeaderName, Fill)>,
    pub(super) body: Body,
}

/// The kinds of body.
#[derive(Clone, Debug)]
pub(super) enum Body {
    None,
    Text(Fill),
    Form(Vec<(String, Fill)>),
    Json(Tree),
}

/// A JSON body whose texts are filled.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Fill(Fill),
    Constant(Json),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Form {
    /// The request of one SMS; the error says which value cannot be sent, and never shows it.
    pub(super) fn build(&self, facts: &Facts<'_>) -> Result<reqwest::Request, String> {
        self.build_below(None, facts)
    }

    /// The same, where the address is one below another.
    pub(super) fn build_below(
        &self,
        base: Option<&Url>,
        facts: &Facts<'_>,
    ) -> Result<reqwest::Request, String> {
        let mut url = self.url.with(|value| percent_encoded(&value.of(facts)));
        if !self.query.is_empty() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&pairs(&self.query, facts));
        }
        let url = Url::options().base_url(base).parse(&url);
        let url = url.map_err(|_| "the gateway's url is not a URL".to_owned())?;
        let mut request = reqwest::Request::new(self.method.clone(), url);
        if let Some((kind, bytes)) = self.body.fill(facts) {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            *request.body_mut() = Some(bytes.into());
        }
        for (name, fill) in &self.headers {
            request
                .headers_mut()
                .insert(name, header(name, fill, facts)?);
        }
        Ok(request)
    }

    /// The gateway's address as it is called.
    pub(super) fn address(&self, facts: &Facts<'_>) -> Result<Url, String> {
        let url = self.url.with(|value| percent_encoded(&value.of(facts)));
        Url::parse(&url).map_err(|_| "the gateway's url is not a URL".to_owned())
    }

    /// Every compiled text of the request.
    pub(super) fn fills(&self) -> Vec<&Fill> {
        let mut fills = vec![&self.url];
        fills.extend(self.query.iter().map(|(_, fill)| fill));
        fills.extend(self.headers.iter().map(|(_, fill)| fill));
        match &self.body {
            Body::None => {}
            Body::Text(fill) => fills.push(fill),
            Body::Form(fields) => fills.extend(fields.iter().map(|(_, fill)| fill)),
            Body::Json(tree) => tree.collect(&mut fills),
        }
        fills
    }
}

impl Body {
    fn fill(&self, facts: &Facts<'_>) -> Option<(&'static str, Vec<u8>)> {
        match self {
            Self::None => None,
            Self::Text(fill) => Some(("text/plain; charset=UTF-8", fill.plain(facts).into_bytes())),
            Self::Form(fields) => Some((
                "application/x-www-form-urlencoded",
                pairs(fields, facts).into_bytes(),
            )),
            Self::Json(tree) => Some((
                "application/json",
                tree.fill(facts).to_string().into_bytes(),
            )),
        }
    }
}

impl Tree {
    fn fill(&self, facts: &Facts<'_>) -> Json {
        match self {
            Self::Fill(fill) => match fill.number(facts) {
                Some(number) => Json::from(number),
                None => Json::String(fill.plain(facts)),
            },
            Self::Constant(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.fill(facts)).collect(),
            Self::Map(members) => members
                .iter()
                .map(|(name, member)| (name.clone(), member.fill(facts)))
                .collect(),
        }
    }

    fn collect<'a>(&'a self, fills: &mut Vec<&'a Fill>) {
        match self {
            Self::Fill(fill) => fills.push(fill),
            Self::Constant(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.collect(fills)),
            Self::Map(members) => members.iter().for_each(|(_, member)| member.collect(fills)),
        }
    }
}

/// A header cannot escape control characters, so a value that holds one is not sent at all.
fn header(name: &HeaderName, fill: &Fill, facts: &Facts<'_>) -> Result<HeaderValue, String> {
    let text = fill.plain(facts);
    let fit = !text.chars().any(char::is_control);
    let value = fit
        .then(|| HeaderValue::from_bytes(text.as_bytes()).ok())
        .flatten();
    let mut value = value.ok_or_else(|| format!("a value does not fit the header {name}"))?;
    value.set_sensitive(fill.secrets().next().is_some());
    Ok(value)
}

fn pairs(fields: &[(String, Fill)], facts: &Facts<'_>) -> String {
    let pair = |(name, fill): &(String, Fill)| {
        format!(
            "{}={}",
            percent_encoded(name),
            percent_encoded(&fill.plain(facts))
        )
    };
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Escapes everything but the unreserved characters of RFC 3986 (2.3), which makes it fit for a
/// query, a form and a path segment alike.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
