// A judgment on its way. A connection that is lost is said, and the same form with the same key is sent again by itself until
// the server has answered; the key sees to it that nothing is stored twice.

const say = (words, look) => dispatchEvent(new CustomEvent("say", { detail: { words, look } }));
const LONGEST_WAIT_MS = 30_000;
const PASSING = [429, 502, 503, 504];

// `sent` is the form on its way with the button that sent it; `waits` how often it has failed so far.
let sent = null;
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-sends]")) return;
  if (sent?.form !== event.target) sent = { form: event.target, waits: 0, timer: 0 };
  sent.button = event.submitter;
}, true);

for (const name of ["htmx:sendError", "htmx:timeout"]) addEventListener(name, (event) => later(event.detail.elt));
addEventListener("htmx:responseError", (event) => {
  if (PASSING.includes(event.detail.xhr.status)) later(event.detail.elt);
  else sent = null;
});
function later(form) {
  if (sent?.form !== form) return;
  sent.isWaiting = true;
  const wait = Math.min(1000 * 2 ** sent.waits, LONGEST_WAIT_MS);
  sent.waits += 1;
  clearTimeout(sent.timer);
  sent.timer = setTimeout(again, wait);
  say(document.body.dataset.again, "bad");
}
function again() {
  if (!sent?.isWaiting) return;
  clearTimeout(sent.timer);
  sent.isWaiting = false;
  if (sent.form.isConnected) sent.form.requestSubmit(sent.button);
  else sent = null;
}
addEventListener("online", again);
document.addEventListener("visibilitychange", () => document.hidden || again());

// The server has answered, whatever it says: also that somebody has to sign in again, which leaves the page.
addEventListener("htmx:beforeOnLoad", (event) => {
  if (sent?.form !== event.detail.elt || PASSING.includes(event.detail.xhr.status)) return;
  clearTimeout(sent.timer);
  if (sent.waits) say("", "");
  sent = null;
});
addEventListener("beforeunload", (event) => {
  if (sent?.waits) event.preventDefault();
});

// A key or a click meant for the last turn, given twice by a nervous finger, does not judge the next one unseen.
const UNSEEN_MS = 350;
let arrived = -Infinity;
addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.matches?.("[data-shown]")) arrived = performance.now();
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("[name=choice]") || performance.now() - arrived > UNSEEN_MS) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

// A page that the browser took out of its memory may show a turn that is long over.
addEventListener("pageshow", (event) => event.persisted && location.reload());
