//! What stands before every route: whom the page answers, and what a browser may do with the answer.
//!
//! The page has no log-in, so it must not answer a stranger's website that the visitor's browser
//! runs: not one that posts here, and not one whose name was pointed at 127.0.0.1.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

/// Our own style sheets, script, event stream and mail frames, and nothing else. The design
/// system's icons are data URLs.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    frame-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";
/// A mail's HTML: its own inline styles, and nothing that runs or is fetched.
const FRAME_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; \
    form-action 'none'; base-uri 'none'; frame-ancestors 'self'";

/// The routes, with the guard before them.
pub(in crate::sandbox) fn guarded(routes: Router) -> Router {
    routes.layer(from_fn(guard))
}

/// The headers of a mail's HTML part.
pub(super) fn frame_headers() -> [(HeaderName, &'static str); 1] {
    [(header::CONTENT_SECURITY_POLICY, FRAME_POLICY)]
}

async fn guard(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let foreign = request.method() == Method::POST && is_foreign(headers);
    if foreign || !names_this_machine(headers) {
        let refusal = "The sandbox answers only its own page, at 127.0.0.1 or localhost.\n";
        return (StatusCode::FORBIDDEN, refusal).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether a browser says that another site asks. Programs that are no browsers say nothing.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let host = text("host").unwrap_or_default();
    text("origin").is_some_and(|origin| origin != format!("http://{host}"))
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}
