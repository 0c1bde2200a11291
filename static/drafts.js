// What is half done survives a reload, a lost connection and a session that ended: kept in this browser by the number of the
// turn, until the server says that this turn is stored. A draft that nobody came back to is thrown away after a week.

const PREFIX = "tiebreak.draft.";
const KEPT_MS = 7 * 24 * 3600 * 1000;
const OF_THE_FORM = new Set(["assignment", "key", "duration_ms"]);
const form = () => document.querySelector("form[data-turn]");

// A browser may refuse to keep anything; judging works all the same.
const quietly = (act) => { try { return act(); } catch { return null; } };

function keep() {
  const filled = form();
  if (!filled) return;
  const words = Object.fromEntries([...new FormData(filled)].filter(([name, value]) => value && !OF_THE_FORM.has(name)));
  const chosen = filled.querySelector("[name=choice][aria-pressed=true]")?.value;
  if (chosen) words.choice = chosen;
  const name = PREFIX + filled.dataset.turn;
  quietly(() => Object.keys(words).length ? localStorage.setItem(name, JSON.stringify({ at: Date.now(), words })) : localStorage.removeItem(name));
}
for (const name of ["input", "change", "click"]) document.addEventListener(name, (event) => form()?.contains(event.target) && keep());
document.addEventListener("submit", keep, true);

function begin() {
  const stored = document.querySelector("[data-stored]")?.dataset.stored;
  if (stored) quietly(() => localStorage.removeItem(PREFIX + stored));
  const empty = form();
  const draft = empty && quietly(() => JSON.parse(localStorage.getItem(PREFIX + empty.dataset.turn)));
  if (!draft) return;
  for (const [name, value] of Object.entries(draft.words)) fill(empty, name, value);
  dispatchEvent(new Event("drafted"));
}
function fill(place, name, value) {
  for (const field of [...place.elements].filter((one) => one.name === name)) {
    if (name === "choice") field.value === value && chosenBefore(field);
    else if (field.type === "radio") field.checked = field.value === value;
    else field.value = value;
  }
}
// The answer that could not be sent is shown as chosen and has the focus: Enter sends it.
function chosenBefore(button) {
  button.setAttribute("aria-pressed", "true");
  if (button.closest(".pop") || document.querySelector("[autofocus]")) return;
  button.focus({ preventScroll: true });
  dispatchEvent(new CustomEvent("say", { detail: { words: button.form.dataset.saysRestored, look: "info" } }));
}
quietly(() => {
  for (const name of Object.keys(localStorage).filter((one) => one.startsWith(PREFIX))) {
    if (!(JSON.parse(localStorage.getItem(name)).at > Date.now() - KEPT_MS)) localStorage.removeItem(name);
  }
});
addEventListener("htmx:afterSwap", begin);
begin();
