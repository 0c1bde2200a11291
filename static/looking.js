// How long the judge looked, and the lease that lasts while they look: counted and renewed while the page is in sight.

let looked = 0;
let since = performance.now();
let renewed = Date.now();
let warned = false;
const turn = () => document.querySelector("[data-renew]");
const seen = () => looked + (document.hidden ? 0 : performance.now() - since);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) looked += performance.now() - since;
  else {
    since = performance.now();
    renew();
  }
});
function begin() {
  looked = 0;
  since = performance.now();
  renewed = Date.now();
  warned = false;
}
// What is sent again after a lost connection keeps the time at which it was decided.
document.addEventListener("submit", (event) => {
  const field = event.target.elements?.namedItem("duration_ms");
  if (field && !(event.submitter && field.dataset.of === event.submitter.value)) field.value = Math.round(seen());
  if (field && event.submitter) field.dataset.of = event.submitter.value;
}, true);

// Three times in a lease; while the page is hidden it may run out, for others to take the item.
async function renew() {
  const place = turn();
  if (!place || document.hidden || warned || Date.now() - renewed < (place.dataset.renewMinutes * 60_000) / 3) return;
  renewed = Date.now();
  const answer = await fetch(place.dataset.renew, { method: "POST" }).catch(() => null);
  if (answer?.status !== 409 || place !== turn()) return;
  warned = true;
  dispatchEvent(new CustomEvent("say", { detail: { words: document.querySelector("form[data-turn]").dataset.saysLate, look: "warn" } }));
}
setInterval(renew, 15_000);
addEventListener("htmx:afterSwap", (event) => event.target.matches?.("[data-shown]") && begin());
addEventListener("pageshow", begin);
