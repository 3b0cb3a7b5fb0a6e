//! Templates, style sheets and the script: all inside the binary.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::Environment;
use xxhash_rust::xxh3::xxh3_64;

/// Browsers keep an asset for as long as they like: its address changes with its content.
const KEEP: &str = "public, max-age=31536000, immutable";

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

const ASSETS: [Asset; 4] = [
    Asset {
        name: "designsystemet.css",
        kind: CSS,
        content: include_str!("../../../assets/vendor/designsystemet.css"),
    },
    Asset {
        name: "designsystemet-theme.css",
        kind: CSS,
        content: include_str!("../../../assets/vendor/designsystemet-theme.css"),
    },
    Asset {
        name: "sandbox.css",
        kind: CSS,
        content: include_str!("../../../assets/sandbox.css"),
    },
    Asset {
        name: "live.js",
        kind: JS,
        content: include_str!("../../../assets/live.js"),
    },
];

/// The regions of the page that the event stream sends anew, and their templates.
pub(super) const REGIONS: [(&str, &str); 8] = [
    ("clock", "clock.html"),
    ("tally", "tally.html"),
    ("moods", "moods.html"),
    ("batches", "batches.html"),
    ("phoned", "phoned.html"),
    ("phones", "phones.html"),
    ("feed", "feed.html"),
    ("mailbox", "mailbox.html"),
];

const PAGES: [(&str, &str); 9] = [
    (
        "sandbox.html",
        include_str!("../../../assets/pages/sandbox.html"),
    ),
    (
        "clock.html",
        include_str!("../../../assets/pages/clock.html"),
    ),
    (
        "tally.html",
        include_str!("../../../assets/pages/tally.html"),
    ),
    (
        "batches.html",
        include_str!("../../../assets/pages/batches.html"),
    ),
    (
        "moods.html",
        include_str!("../../../assets/pages/moods.html"),
    ),
    (
        "phoned.html",
        include_str!("../../../assets/pages/phoned.html"),
    ),
    (
        "phones.html",
        include_str!("../../../assets/pages/phones.html"),
    ),
    ("feed.html", include_str!("../../../assets/pages/feed.html")),
    (
        "mailbox.html",
        include_str!("../../../assets/pages/mailbox.html"),
    ),
];

/// The page and its regions, compiled.
pub(super) fn pages() -> Environment<'static> {
    let mut pages = Environment::new();
    pages.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    for (name, text) in PAGES {
        pages
            .add_template(name, text)
            .expect("the templates in the binary compile, as the page tests show");
    }
    pages.add_filter("figure", figure);
    pages.add_function("asset", |name: &str| address(name));
    pages
}

/// A number with a space between the thousands, as Norwegian writes it.
pub(super) fn figure(number: u64) -> String {
    let digits = number.to_string();
    let mut spaced = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            spaced.push('\u{a0}');
        }
        spaced.push(digit);
    }
    spaced
}

fn address(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let sum = asset.map_or(0, |asset| xxh3_64(asset.content.as_bytes()));
    format!("/assets/{name}?{sum:016x}")
}

/// Serves one asset.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.kind),
                (header::CACHE_CONTROL, KEEP),
            ];
            (headers, asset.content).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
