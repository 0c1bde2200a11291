// Words for what htmx would let fail in silence, and for whoever listens instead of looking. Any script says something with
// dispatchEvent(new CustomEvent("say", { detail: { words, look } })): look "bad" or "warn" for all to see, none to be spoken.
"use strict";
{
const notices = () => document.getElementById("notices");
const told = (name) => document.body.dataset[name];

function line(look, words) {
  const element = document.createElement("p");
  element.className = look;
  element.textContent = words;
  return element;
}
addEventListener("say", ({ detail: { words, look } }) => {
  if (!look) return notices()?.replaceChildren(line("spoken", words));
  const box = document.createElement("div");
  box.className = `notice notice--${look} notice--floating`;
  box.append(line("", words));
  notices()?.replaceChildren(box);
});
const say = (words, look) => dispatchEvent(new CustomEvent("say", { detail: { words, look } }));

// What was saved is also spoken: #notices stays in place while fragments come and go. Said as the fragment comes and not once it
// has settled: a key pressed in between has an answer of its own, which must not be spoken over.
addEventListener("htmx:afterSwap", (event) => {
  const words = event.target.querySelector?.("[data-say]")?.textContent;
  if (words) say(words);
});

// A form that sends again by itself says so itself.
const isSentAgain = (event) => event.defaultPrevented || event.detail.elt.matches("[data-sends]");
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  addEventListener(name, (event) => isSentAgain(event) || say(told("offline"), "bad"));
}
addEventListener("htmx:responseError", (event) => {
  if (isSentAgain(event) && [429, 502, 503, 504].includes(event.detail.xhr.status)) return;
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  say(page.querySelector("[data-mistake]")?.textContent.trim() || told("broken"), "bad");
});
}
