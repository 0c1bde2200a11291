// The keys a judge presses, the time a judgment took, and words for what htmx would let fail in silence.
// Every page works without this file.
"use strict";

const STORE = "tiebreak.keys";
const notices = () => document.getElementById("notices");

// A control says its own keys: <button data-key="1 ArrowLeft">. One key presses it, as a click would.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (event.key === "Escape") return closeSheets();
  if (event.target.closest("input:not([type=radio]), textarea, select, [contenteditable]")) return;
  if (event.key.startsWith("Arrow") && event.target.closest(".scroll, input")) return;
  if (localStorage.getItem(STORE) === "off" && event.key !== "?") return;
  if (/^[1-9]$/.test(event.key) && givePlace(event)) return event.preventDefault();
  const control = document.querySelector(`[data-key~="${CSS.escape(event.key)}"]`);
  if (!control) return;
  event.preventDefault();
  control.click();
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
  event.stopPropagation();
}, true);

// A digit is the place of the response in focus, else of the first one that has none; then the next one is in focus.
function givePlace(event) {
  const groups = [...document.querySelectorAll("[data-place]")];
  const unplaced = () => groups.find((group) => !group.querySelector(":checked"));
  const group = event.target.closest("[data-place]") || unplaced();
  const place = group?.querySelector(`input[value="${event.key}"]`);
  if (!place) return false;
  place.checked = true;
  (unplaced()?.querySelector("input") || document.getElementById("choice-ranked"))?.focus();
  return true;
}
function closeSheets() {
  for (const sheet of document.querySelectorAll(".desk details[open], .tongues[open]")) sheet.open = false;
}

// Whoever dictates to their computer may turn single keys off (WCAG 2.1.4).
function drawSwitch() {
  for (const box of document.querySelectorAll("[data-keys-switch]")) {
    box.checked = localStorage.getItem(STORE) !== "off";
    box.closest("[hidden]")?.removeAttribute("hidden");
  }
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-keys-switch]")) localStorage.setItem(STORE, event.target.checked ? "on" : "off");
});

// How long the judge looked: counted while the page is in sight, sent with the form.
let looked = 0;
let since = performance.now();
const seen = () => looked + (document.hidden ? 0 : performance.now() - since);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) looked += performance.now() - since;
  else since = performance.now();
});
function startLooking() {
  looked = 0;
  since = performance.now();
  drawSwitch();
}
const noteTime = (form) => {
  const field = form.elements?.namedItem("duration_ms");
  if (field) field.value = Math.round(seen());
};
document.addEventListener("submit", (event) => noteTime(event.target), true);
addEventListener("pageshow", startLooking);

// What was saved is also spoken: #notices stays in place while fragments come and go.
addEventListener("htmx:afterSettle", (event) => {
  const words = event.target.querySelector?.("[data-say]")?.textContent;
  if (words && notices()) notices().replaceChildren(line("spoken", words));
  if (event.target.matches?.("[data-shown]")) startLooking();
});

function line(look, words) {
  const element = document.createElement("p");
  element.className = look;
  element.textContent = words;
  return element;
}
function fail(words) {
  const box = document.createElement("div");
  box.className = "notice notice--bad notice--floating";
  box.append(line("", words));
  notices()?.replaceChildren(box);
}
const told = (name) => document.body.dataset[name];
addEventListener("htmx:sendError", () => fail(told("offline")));
addEventListener("htmx:timeout", () => fail(told("offline")));
addEventListener("htmx:responseError", (event) => {
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  fail(page.querySelector("[data-mistake]")?.textContent.trim() || told("broken"));
});
