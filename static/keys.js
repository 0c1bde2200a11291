// The keys that press what is on the page. A control says its own keys, <button data-key="1 ArrowLeft">, and one of them
// presses it as a click would. Every page works without this file.
"use strict";
{
const STORE = "tiebreak.keys";
const OPEN = ".desk details[open], .pop[open], .tongues[open]";
const FIELDS = "input:not([type=radio]), textarea, select, [contenteditable]";

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (event.key === "Escape") return leave(event.target);
  if (event.target.closest(FIELDS)) return;
  if (event.key.startsWith("Arrow") && event.target.closest(".scroll, .desk__sheet, input")) return;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  if (localStorage.getItem(STORE) === "off" && event.key !== "?") return;
  const control = controlOf(letter(event));
  if (!control) return isTaken(event.key) && say(document.querySelector(".question.is-active").dataset.says, "info");
  event.preventDefault();
  if (control.dataset.tells) say(control.dataset.tells, "info");  // why the key presses nothing just now
  else control.click();
});

// Caps Lock changes nothing, Shift does: a capital S is another key than s.
const letter = ({ key, shiftKey }) => /^\p{L}$/u.test(key) ? (shiftKey ? key.toUpperCase() : key.toLowerCase()) : key;

// A digit that the marked question does not know presses nothing: beside those that answer it, it would choose and save.
const isTaken = (key) => /^\d$/.test(key) && document.querySelector(".question.is-active");
const say = (words, look) => dispatchEvent(new CustomEvent("say", { detail: { words, look } }));

// An open sheet with keys of its own has them all; then comes the question that is marked; then the rest of the page.
function controlOf(key) {
  const named = `[data-key~="${CSS.escape(key)}"]`;
  const sheet = document.querySelector("[data-keys-first][open]");
  if (sheet) return sheet.querySelector(`.pop__sheet ${named}`) ?? sheet.querySelector(named);
  const marked = document.querySelector(`.question.is-active ${named}`);
  if (marked || isTaken(key)) return marked;
  const always = document.querySelector(`[data-key-always="${CSS.escape(key)}"]`);
  const rest = [...document.querySelectorAll(named)].filter((one) => !one.closest(".question__answers, .pop__sheet"));
  return rest[0] ?? always;
}

// Escape leaves a text or a sheet; what was written stays. Beside the texts the focus was nowhere, and Enter saves: not on Guidelines.
function leave(place) {
  for (const sheet of document.querySelectorAll(OPEN)) {
    if (sheet.contains(place)) sheet.matches(".desk details") ? place.blur() : sheet.querySelector("summary").focus();
    sheet.open = false;
  }
  if (place.matches(FIELDS)) place.blur();
}

// One sheet at a time, and a click beside it closes it; guidelines stay open over keys. What is to be read has the focus, so that keys scroll it and not the page.
document.addEventListener("toggle", (event) => {
  if (!event.target.open || !event.target.matches(".desk details, .pop, .tongues")) return;
  for (const other of document.querySelectorAll(OPEN)) if (other !== event.target) other.open = false;
  (document.getElementById(event.target.querySelector("summary").dataset.focuses) ?? event.target.querySelector(".desk__sheet"))?.focus();
}, true);
document.addEventListener("click", (event) => {
  for (const sheet of document.querySelectorAll(OPEN)) if (!sheet.contains(event.target) && (event.isTrusted || sheet.matches(".pop"))) sheet.open = false;
});

// Whoever dictates to their computer may turn single keys off (WCAG 2.1.4).
for (const box of document.querySelectorAll("[data-keys-switch]")) {
  box.checked = localStorage.getItem(STORE) !== "off";
  box.closest("[hidden]")?.removeAttribute("hidden");
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-keys-switch]")) localStorage.setItem(STORE, event.target.checked ? "on" : "off");
});
}
