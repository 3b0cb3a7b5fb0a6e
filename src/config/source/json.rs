//! `[source.json]` into the settings of a JSON source.

use super::Misplaced;
use crate::config::file::{self, Source};
use crate::domain::appointment::SourceName;
use crate::source::Words;
use crate::source::http::{LookUp, Next, Paging, Settings};

/// The settings of a JSON source, without its token, or what is wrong at which key.
pub(super) fn settings(source: &Source, words: Words) -> Result<Settings, Misplaced> {
    let Some(json) = &source.json else {
        let problem = "a source of kind \"json\" needs to know where its values stand".to_owned();
        let help = "add [source.json] with items and columns, or profile = \"json\"";
        return Err(("json", problem, help));
    };
    let (None, Some(url), None) = (&source.path, &source.url, &source.query) else {
        let problem = "a source of kind \"json\" has a url and neither path nor query";
        return Err((
            "kind",
            problem.to_owned(),
            "give the address of the list as url",
        ));
    };
    for address in std::iter::once(url).chain(&json.look_up) {
        reachable(source, address)?;
    }
    if let Some(look_up) = json
        .look_up
        .as_ref()
        .filter(|look_up| !look_up.contains(":id"))
    {
        let problem = format!("\"{look_up}\" does not say where a booking's id goes");
        return Err(("json", problem, "write :id where it stands in the address"));
    }
    let pointers = json
        .columns
        .values()
        .chain([&json.items, &json.look_up_item]);
    if let Some(pointer) = pointers
        .into_iter()
        .find(|p| !p.is_empty() && !p.starts_with('/'))
    {
        let problem = format!("\"{pointer}\" is no JSON pointer (RFC 6901)");
        return Err((
            "json",
            problem,
            "write /data/items, or \"\" for the whole answer",
        ));
    }
    let columns = json.columns.iter();
    Ok(Settings {
        name: SourceName(source.name.clone()),
        url: url.clone(),
        token: None,
        items: json.items.clone(),
        columns: columns
            .map(|(ours, theirs)| (ours.clone(), theirs.clone()))
            .collect(),
        paging: json.paging.as_ref().map(paging).transpose()?,
        look_up: json.look_up.clone().map(|url| LookUp {
            url,
            item: json.look_up_item.clone(),
        }),
        connect_timeout: json.connect_timeout.0,
        timeout: json.timeout.0,
        max_body_bytes: json.max_body_bytes,
        words,
    })
}

/// An address of HTTP; a token travels in clear only within this machine.
fn reachable(source: &Source, address: &str) -> Result<(), Misplaced> {
    let help = "write https://SERVER/PATH";
    let read = reqwest::Url::parse(address);
    let Ok(url) = read.map_err(|_| ()).and_then(|url| match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(()),
    }) else {
        return Err(("url", "it is no address of HTTP".to_owned(), help));
    };
    if !url.username().is_empty() || url.password().is_some() {
        let problem = "it holds a name or password".to_owned();
        return Err((
            "url",
            problem,
            "put the secret into a file, and name it in token_file",
        ));
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let ip: Result<std::net::IpAddr, _> = host.parse();
    let here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    if source.token_file.is_some() && url.scheme() == "http" && !here {
        let problem = "the token would travel in clear".to_owned();
        return Err(("url", problem, help));
    }
    Ok(())
}

fn paging(paging: &file::Paging) -> Result<Paging, Misplaced> {
    let next = match (&paging.next, &paging.parameter) {
        (Some(pointer), None) => Next::Pointer(pointer.clone()),
        (None, Some(name)) => Next::Parameter {
            name: name.clone(),
            first: paging.first,
        },
        _ => {
            let problem = "[source.json.paging] needs one of next and parameter".to_owned();
            let help =
                "next = \"/links/next\" if pages name the next one, else parameter = \"page\"";
            return Err(("json", problem, help));
        }
    };
    Ok(Paging {
        next,
        total: paging.total.clone(),
        max_pages: paging.max_pages,
    })
}
