// Which answer was chosen, which question the next digit answers, and the keys inside a comment.

const say = (words, look) => dispatchEvent(new CustomEvent("say", { detail: { words, look } }));

// The chosen answer is shown as pressed, from the key press on until the next turn is there.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[name=choice]");
  if (!button) return;
  for (const other of button.form.querySelectorAll("[name=choice][aria-pressed]")) other.removeAttribute("aria-pressed");
  button.setAttribute("aria-pressed", "true");
}, true);

// Digits answer the question in focus, else the first one without an answer, else they choose. Its row is marked.
const questions = () => [...document.querySelectorAll("[data-question='']")];
const unanswered = () => questions().find((one) => !one.querySelector(":checked"));
function mark() {
  const active = questions().find((one) => one.querySelector("input:focus-visible")) ?? unanswered();
  for (const one of questions()) one.classList.toggle("is-active", one === active);
}
document.addEventListener("change", (event) => {
  const question = event.target.closest("[data-question='']");
  if (!question) return;
  if (document.querySelector("#notices .notice--floating")) say("");
  if (question.querySelector("input:focus-visible")) unanswered()?.querySelector("input").focus() ?? document.activeElement.blur();
  mark();
});
document.addEventListener("focusin", mark);
document.addEventListener("focusout", () => setTimeout(mark));
document.addEventListener("click", (event) => {
  if (event.target.matches("[data-to-questions]")) (unanswered() ?? event.target.closest(".question")).querySelector("input, select").focus();
});

// A label's key leads to its text.
document.addEventListener("click", (event) => {
  if (event.target.matches("label[data-key]")) document.getElementById(event.target.htmlFor).focus();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !event.target.form) return;
  if (event.target.id === "comment" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    sendFrom(event.target);
  } else if (event.target.dataset.enter && !event.shiftKey) {
    event.preventDefault();
    document.getElementById(event.target.dataset.enter).click();
  }
});

// Ctrl+Enter in a comment sends the chosen answer. Where none is chosen yet, the next key chooses it.
function sendFrom(comment) {
  const chosen = comment.form.querySelector("[name=choice][aria-pressed=true], #choice-ranked");
  if (chosen) return comment.form.requestSubmit(chosen);
  comment.blur();
  for (const sheet of comment.form.querySelectorAll(".pop[open]")) sheet.open = false;
  say(comment.form.dataset.saysChoose, "info");
}

// The layout: the server draws it from a cookie, so that it is there before the first picture.
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-layout]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const stacked = !document.getElementById("turn").classList.contains("turn--stacked");
  document.getElementById("turn").classList.toggle("turn--stacked", stacked);
  document.cookie = `tiebreak_layout=${stacked ? "stacked" : "columns"}; path=/; max-age=31536000; samesite=lax`;
  link.href = `?layout=${stacked ? "columns" : "stacked"}`;
  link.firstElementChild.textContent = link.dataset.words.split("|")[stacked ? 0 : 1];
});

addEventListener("htmx:afterSwap", mark);
addEventListener("drafted", mark);
mark();
