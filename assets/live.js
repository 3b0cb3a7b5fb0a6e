// Swaps the regions of the page that changed, from one event stream. The page is whole without it.
//
// The stream is closed while the tab is hidden: a browser has six connections to one server, and a
// seventh tab would wait for ever.
"use strict";

const address = document.body.dataset.live;
const regions = ["clock", "tally", "moods", "batches", "phoned", "phones", "feed", "mailbox"];
const mailsKept = 30;
let stream = null;

// Open details stay open, and the focus stays where it was, across a swap.
function swap(region, html) {
  const place = document.getElementById(region);
  const open = [...place.querySelectorAll("details[open][id]")].map((one) => one.id);
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  if (keepsWhatIsRead(region, place, html)) return;
  place.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused?.id) document.getElementById(focused.id)?.focus({ preventScroll: true });
}

// A mail that somebody reads is not pulled away: new mails are put before the ones that are shown.
function keepsWhatIsRead(region, place, html) {
  if (region !== "mailbox" || !place.querySelector("details[open]")) return false;
  const fresh = document.createElement("div");
  fresh.innerHTML = html;
  const list = place.querySelector(".mails");
  const added = [...fresh.querySelectorAll(".mails > li")].filter(
    (one) => !document.getElementById(one.firstElementChild.id),
  );
  list.prepend(...added);
  const closed = [...list.children].filter((one) => !one.querySelector("details[open]"));
  for (const old of closed.slice(mailsKept)) old.remove();
  return true;
}

function listen() {
  if (stream || document.hidden) return;
  stream = new EventSource(address);
  for (const region of regions) {
    stream.addEventListener(region, (event) => swap(region, event.data));
  }
}

function leave() {
  stream?.close();
  stream = null;
}

document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
window.addEventListener("pagehide", leave);
window.addEventListener("pageshow", listen);
listen();
