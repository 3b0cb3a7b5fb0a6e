//! The mails people get, and a file of previews, in a real browser: nobody meets a barrier in them, and
//! nothing runs out of a telephone's screen.

use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::house::{run, stdout};

/// As wide as a telephone's screen.
const PHONE: (u32, u32) = (360, 800);
const AT: &str = "2021-03-16T14:00";

/// What a page needs and a mail does not: it stands within the page of whoever reads mail in a browser,
/// and that page has its landmarks already.
const OF_PAGES: [&str; 2] = ["landmark-one-main:", "region:"];

async fn no_barriers(browser: &Browser, case: &str, scheme: &str) {
    browser.look(PHONE.0, PHONE.1, scheme).await;
    let found = browser.barriers().await;
    assert!(found.passes > 5, "axe-core looked at nothing: {found:?}");
    let mut violations = found.violations;
    violations.retain(|one| !OF_PAGES.iter().any(|rule| one.starts_with(rule)));
    assert!(violations.is_empty(), "{case}, {scheme}: {violations:#?}");
    browser
        .until("document.documentElement.scrollWidth <= window.innerWidth")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/servers/fetch"]
async fn no_mail_is_a_barrier() {
    let previews = run(&["preview", "--json", "--channel", "email", "--at", AT]);
    let previews: Vec<Value> = serde_json::from_str(&stdout(&previews)).unwrap();
    assert!(previews.len() > 30, "{} cases", previews.len());
    let folder = tempfile::tempdir().unwrap();
    let browser = Browser::start().await;
    for preview in &previews {
        let case = preview["case"].as_str().unwrap();
        let file = folder.path().join(format!("{case}.html"));
        std::fs::write(&file, preview["email"]["html"].as_str().unwrap()).unwrap();
        browser.open(&format!("file://{}", file.display())).await;
        no_barriers(&browser, case, "light").await;
    }
    // A mail has no colours of its own, so one of them stands for all in the dark.
    no_barriers(&browser, "the last", "dark").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/servers/fetch"]
async fn a_file_of_previews_is_no_barrier() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages.html");
    let name = file.to_str().unwrap();
    let case = "residence-cancelled-short-notice";
    let written = run(&["preview", case, "--html", name, "--at", AT]);
    assert!(written.status.success());
    let browser = Browser::start().await;
    browser.open(&format!("file://{name}")).await;
    for scheme in ["light", "dark"] {
        no_barriers(&browser, case, scheme).await;
    }
}
