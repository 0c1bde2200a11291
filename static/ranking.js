// An order of several responses, made by dragging, with the arrow keys or with digits. What is sent is read off the list that
// is shown, so the two cannot differ. The radio buttons, by which it works without this file, carry it to the server.

const say = (words, look) => dispatchEvent(new CustomEvent("say", { detail: { words, look } }));
const filled = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const letters = () => [...order.querySelectorAll(".order__letter")];
const radios = (id) => [...form.elements].filter((one) => one.name === `tier.${id}` && one.type === "radio");

// `tier` has each response's number, null for none yet; `isTouched` whether the order is somebody's own.
let order, form, ties, isTouched, isConfirmed, tier;

function begin() {
  order = document.querySelector("[data-order]");
  if (!order) return;
  form = order.closest("form");
  ties = order.dataset.ties === "yes";
  tier = new Map(letters().map(({ dataset: { id } }) => [id, Number(radios(id).find((one) => one.checked)?.value) || null]));
  isTouched = [...tier.values()].some(Boolean);
  isConfirmed = false;
  order.hidden = false;
  for (const plain of form.querySelectorAll("[data-plain]")) plain.hidden = true;
  for (const radio of form.querySelectorAll(".place input")) radio.required = false;
  if (!isTouched) number(letters().map(({ dataset: { id } }) => [id]));
  draw();
  if (isTouched) send();
}

// Groups of ids, best first; those of one group are equally good. Those without a number are in none.
const groups = () => [...new Set([...tier.values()].filter(Boolean))].sort((a, b) => a - b)
  .map((place) => [...tier.keys()].filter((id) => tier.get(id) === place));
const number = (sorted) => sorted.filter((group) => group.length).forEach((group, at) => group.forEach((id) => tier.set(id, at + 1)));
const unplaced = () => [...tier.keys()].filter((id) => !tier.get(id));

function change(sorted, moved) {
  number(sorted);
  changed(moved);
}
function changed(moved) {
  isTouched = true;
  isConfirmed = false;
  draw();
  send();
  tell(moved);
  form.dispatchEvent(new Event("change", { bubbles: true }));
}

function draw() {
  const buttons = new Map(letters().map((one) => [one.dataset.id, one]));
  const focused = document.activeElement;
  const rows = groups().flatMap((group, at) => group.map((id, within) => row(buttons.get(id), within ? "tie" : at ? "better" : "")));
  rows.push(...unplaced().map((id) => row(buttons.get(id), "none")));
  order.querySelector("ol").replaceChildren(...rows);
  if (buttons.has(focused?.dataset?.id)) focused.focus({ preventScroll: true });
}
function row(letter, sign) {
  const item = document.createElement("li");
  item.className = `order__one${sign === "none" ? " order__one--unplaced" : ""}`;
  item.dataset.sign = sign;
  if (sign === "tie" || sign === "better") item.append(signOf(sign));
  item.append(letter);
  return item;
}
function signOf(sign) {
  const element = document.createElement(ties ? "button" : "span");
  element.className = "order__sign";
  element.textContent = sign === "tie" ? "=" : "›";
  element.setAttribute("aria-label", order.dataset[sign]);
  if (ties) Object.assign(element, { type: "button", tabIndex: -1 });
  else element.setAttribute("role", "img");
  return element;
}

// The list as it is shown, into the radio buttons. While some have no place yet, the numbers that were given.
function send() {
  let place = 0;
  const isWhole = !unplaced().length;
  for (const item of order.querySelectorAll("li")) {
    const { id } = item.querySelector(".order__letter").dataset;
    if (item.dataset.sign !== "tie") place += 1;
    const value = item.dataset.sign === "none" ? null : isWhole ? place : tier.get(id);
    for (const radio of radios(id)) radio.checked = Number(radio.value) === value;
    const words = form.querySelector(`[data-place-of="${id}"]`);
    words.textContent = value ? filled(order.dataset.place, { place: value }) : order.dataset.unplaced;
  }
}
const labelOf = (id) => letters().find((one) => one.dataset.id === id).dataset.label;
function tell(id) {
  if (!id || !tier.get(id)) return;
  const others = [...tier.keys()].filter((other) => other !== id && tier.get(other) === tier.get(id)).map(labelOf).join(", ");
  say(filled(order.dataset[others ? "saysTied" : "says"], { label: labelOf(id), place: tier.get(id), n: tier.size, others }));
}

// One step: out of its group, past the next group if it is alone.
function step(id, by) {
  const sorted = groups();
  const at = sorted.findIndex((group) => group.includes(id));
  if (at < 0) return;
  if (sorted[at].length > 1) {
    sorted[at] = sorted[at].filter((other) => other !== id);
    sorted.splice(by < 0 ? at : at + 1, 0, [id]);
  } else if (sorted[at + by]) {
    [sorted[at], sorted[at + by]] = [sorted[at + by], sorted[at]];
  }
  change(sorted, id);
}
// Before the response at `to` of the others; between two that are equally good it is as good as they are.
function put(id, to) {
  const sorted = groups().map((group) => group.filter((other) => other !== id)).filter((group) => group.length);
  const flat = sorted.flat();
  const before = sorted.findIndex((group) => group.includes(flat[to - 1]));
  const after = sorted.findIndex((group) => group.includes(flat[to]));
  if (before >= 0 && before === after) sorted[before].push(id);
  else sorted.splice(before + 1, 0, [id]);
  change(sorted, id);
}
function toggleTie(id) {
  const sorted = groups();
  const at = sorted.findIndex((group) => group.includes(id));
  const within = sorted[at]?.indexOf(id);
  if (within > 0) sorted.splice(at, 1, sorted[at].slice(0, within), sorted[at].slice(within));
  else if (at >= 0 && sorted.length > 1) sorted.splice(Math.max(at - 1, 0), 2, [...sorted[Math.max(at - 1, 0)], ...sorted[Math.max(at - 1, 0) + 1]]);
  change(sorted, id);
}
// A digit is the place of the response in focus, else of the next one that has none: the first digit begins a new order.
function giveDigit(place) {
  const focused = document.activeElement.closest(".order__letter")?.dataset.id;
  if (!isTouched && !focused) for (const id of tier.keys()) tier.set(id, null);
  const id = focused ?? unplaced()[0];
  if (!id || place > tier.size) return false;
  if (focused && !unplaced().length) put(id, place - 1);
  else {
    if (!ties && [...tier.values()].includes(place)) for (const [other, at] of tier) if (at >= place) tier.set(other, at + 1);
    tier.set(id, place);
    if (!unplaced().length) number(groups());
    changed(id);
  }
  return true;
}

const ARROWS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
document.addEventListener("keydown", (event) => {
  if (!order?.isConnected || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const letter = event.target.closest(".order__letter");
  if (!letter && isAtLetters(event)) letters()[0].focus({ preventScroll: true });
  else if (letter && ARROWS[event.key]) step(letter.dataset.id, ARROWS[event.key]);
  else if (letter && event.key === "=" && ties) toggleTie(letter.dataset.id);
  else if (letter && event.key === "Enter" && !event.repeat) document.getElementById("choice-ranked").click();
  else if (!mayTakeDigit(event) || !giveDigit(Number(event.key) || 10)) return;
  event.preventDefault();
}, true);
// From the texts the arrows that do not scroll lead to the letters; from there on they move one.
const isAtLetters = ({ key, target }) => (key === "ArrowLeft" || key === "ArrowRight") && localStorage.getItem("tiebreak.keys") !== "off"
  && !target.closest("a, button, input, textarea, select, summary, .scroll, .desk__sheet");
const mayTakeDigit = (event) => /^\d$/.test(event.key) && !event.repeat && localStorage.getItem("tiebreak.keys") !== "off"
  && !event.target.closest("input:not([type=radio]), textarea, select") && !document.querySelector("[data-keys-first][open]");

document.addEventListener("click", (event) => {
  const sign = event.target.closest("button.order__sign");
  if (sign) toggleTie(sign.nextElementSibling.dataset.id);
});

// Dragging, by mouse and by finger. A press that goes nowhere shows the response.
let dragged = null;
document.addEventListener("pointerdown", (event) => {
  const letter = event.target.closest?.(".order__letter");
  if (letter && event.isPrimary && event.button === 0) dragged = { letter, x: event.clientX, y: event.clientY, isMoving: false };
});
document.addEventListener("pointermove", (event) => {
  if (!dragged) return;
  dragged.isMoving ||= Math.hypot(event.clientX - dragged.x, event.clientY - dragged.y) > 6;
  if (!dragged.isMoving) return;
  dragged.letter.classList.add("is-dragged");
  const others = letters().filter((one) => one !== dragged.letter && tier.get(one.dataset.id));
  const to = others.filter((one) => isBefore(one.getBoundingClientRect(), event)).length;
  const now = letters().filter((one) => tier.get(one.dataset.id)).indexOf(dragged.letter);
  if (to !== now) put(dragged.letter.dataset.id, to);
});
const isBefore = (box, { clientX, clientY }) => clientY > box.bottom || (clientY >= box.top && clientX > box.left + box.width / 2);
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => {
    dragged?.letter.classList.remove("is-dragged");
    if (dragged && !dragged.isMoving) {
      dragged.letter.focus();
      const at = [...tier.keys()].indexOf(dragged.letter.dataset.id) + 1;
      document.getElementById(`response-${at}`).scrollIntoView({ block: "start" });
    }
    dragged = null;
  });
}

// An order that nobody made, or not to its end, is not sent. The same key again says that the order shown is meant.
document.addEventListener("submit", (event) => {
  if (event.submitter?.id !== "choice-ranked" || !order?.isConnected) return;
  const missing = unplaced().map(labelOf).join(", ");
  const refusal = missing ? filled(order.dataset.gap, { labels: missing }) : isTouched || isConfirmed ? "" : order.dataset.untouched;
  if (!refusal) return send();
  event.preventDefault();
  event.stopImmediatePropagation();
  isConfirmed = !missing;
  say(refusal, "warn");
}, true);

addEventListener("htmx:afterSwap", begin);
addEventListener("drafted", begin);
begin();
