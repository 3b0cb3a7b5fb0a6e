//! The page in a real browser, with the real daemon behind it and the story under way.

use std::path::Path;
use std::time::Duration;

use varsel::sandbox::story::Pace;

use super::show;
use crate::support::browser::{Browser, ENTER, TAB};

/// The width and height of the pictures in the documents.
const PICTURE: (u32, u32) = (1360, 1000);
/// The height of those that show the phones, too.
const TALL: u32 = 1560;
/// No page makes people press Tab more often than this.
const TABS: usize = 200;

/// Compares nothing: a picture is for people. It is written when VARSEL_BLESS is set.
async fn keep(browser: &Browser, name: &str) {
    let picture = browser.picture().await;
    assert!(picture.starts_with(b"\x89PNG"), "{name} is no picture");
    if std::env::var_os("VARSEL_BLESS").is_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
        std::fs::write(folder.join(name), picture).unwrap();
    }
}

async fn no_barriers(browser: &Browser, state: &str) {
    for scheme in ["light", "dark"] {
        browser.look(PICTURE.0, PICTURE.1, scheme).await;
        let found = browser.barriers().await;
        assert!(found.passes > 15, "axe-core looked at nothing: {found:?}");
        assert!(
            found.violations.is_empty(),
            "{state}, {scheme}: {:#?}",
            found.violations
        );
    }
    browser.look(PICTURE.0, PICTURE.1, "light").await;
}

/// Presses Tab until the element with this identifier has the focus, and holds that every stop on
/// the way can be seen, has a name, and shows that it has the focus.
async fn walk_to(browser: &Browser, id: &str) {
    let look = "const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
        const name = one.getAttribute('aria-label') || one.labels?.[0]?.textContent || one.textContent || one.title;
        const shown = style.outlineStyle !== 'none' || style.boxShadow !== 'none' || one.tagName === 'IFRAME';
        return { id: one.id, tag: one.tagName, name: name.trim(), seen: box.width > 0 && box.height > 0, shown }";
    for stop in 0..TABS {
        browser.press(TAB).await;
        let at = browser.run(look).await;
        assert!(
            at["seen"].as_bool().unwrap() && at["shown"].as_bool().unwrap(),
            "stop {stop}: {at}"
        );
        assert!(
            !at["name"].as_str().unwrap().is_empty(),
            "stop {stop}: {at}"
        );
        if at["id"] == id {
            return;
        }
    }
    panic!("{TABS} times Tab do not reach #{id}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/servers/fetch"]
async fn people_can_watch_and_act_in_a_browser() {
    let show = show::open().await;
    let browser = Browser::start().await;
    browser.look(PICTURE.0, PICTURE.1, "light").await;
    browser.open(&show.sandbox.page_url()).await;
    assert_eq!(
        browser.run("return document.title").await,
        "Sandkassen · Varsel"
    );
    no_barriers(&browser, "before anything has happened").await;

    let pace = Pace::Watched {
        beat: Duration::ZERO,
    };
    tokio::join!(show.tell(pace), held_batch(&browser));

    // Phones fill while the page stands open.
    browser
        .until("document.querySelectorAll('.phone').length === 12")
        .await;
    browser
        .until(
            "Number(document.querySelector('.told .count').textContent.replace(/\\D/g, '')) > 100",
        )
        .await;
    browser
        .until("document.querySelectorAll('.mails > li').length === 12")
        .await;
    // Who must be phoned stands there by name, without the page being loaded anew.
    browser
        .until("document.querySelectorAll('#phoned tbody tr').length === 12")
        .await;
    no_barriers(&browser, "while messages leave").await;
    browser.look(PICTURE.0, TALL, "light").await;
    browser.run("window.scrollTo(0, 0)").await;
    keep(&browser, "sandbox.png").await;
    browser.look(PICTURE.0, TALL, "dark").await;
    keep(&browser, "sandbox-dark.png").await;

    browser.look(PICTURE.0, PICTURE.1, "light").await;
    let open_one = "const mail = document.querySelector('.mails details'), frame = mail.querySelector('iframe');
        frame.addEventListener('load', () => (document.title = 'read'));
        mail.open = true;
        mail.scrollIntoView();";
    browser.run(open_one).await;
    browser.until("document.title === 'read'").await;
    no_barriers(&browser, "with a mail open").await;
    browser
        .run("document.querySelector('details[open]').scrollIntoView()")
        .await;
    keep(&browser, "sandbox-mail.png").await;
    browser
        .run("document.querySelector('#ringes').scrollIntoView()")
        .await;
    keep(&browser, "sandbox-phoned.png").await;

    for width in [390, 360] {
        browser.look(width, 844, "light").await;
        // Nothing runs out of a phone's screen, once the page has been laid out anew.
        browser
            .until("document.documentElement.scrollWidth <= window.innerWidth")
            .await;
        browser
            .until("[...document.querySelectorAll('.scroll')].every((one) => one.scrollWidth <= one.clientWidth)")
            .await;
        browser
            .until("[...document.querySelectorAll('input')].every((one) => one.scrollWidth <= one.clientWidth)")
            .await;
    }
    browser
        .until("document.querySelector('#move-day').clientWidth > 200")
        .await;
}

/// The brake holds the story's batch until somebody presses the button.
async fn held_batch(browser: &Browser) {
    // Everything below reaches the page over its event stream; it is never loaded anew.
    browser
        .until("document.querySelector('#feed').textContent.includes('Se over den holdte bunken')")
        .await;
    browser
        .until("document.querySelector('[id^=release-]')")
        .await;
    no_barriers(browser, "while the brake holds").await;
    browser
        .run("document.querySelector('#batches details').open = true")
        .await;
    keep(browser, "sandbox-held.png").await;
    browser.look(390, 844, "light").await;
    browser
        .until("[...document.querySelectorAll('details[open] > *')].every((one) => one.scrollWidth <= one.clientWidth)")
        .await;
    browser.look(PICTURE.0, PICTURE.1, "light").await;

    browser
        .run("document.activeElement.blur(); window.scrollTo(0, 0)")
        .await;
    browser.press(TAB).await;
    let first = browser
        .run("return document.activeElement.getAttribute('href')")
        .await;
    assert_eq!(first, "#innhold", "the first stop skips to the content");
    let button = browser
        .run("return document.querySelector('[id^=release-]').id")
        .await;
    walk_to(browser, button.as_str().unwrap()).await;
    browser.press(ENTER).await;
    browser
        .until("document.querySelector('#svar')?.textContent.includes('sluppet')")
        .await;
}
