// What asks for itself again and again rests while nobody looks at the page.
"use strict";

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.closest("[data-while-visible]") === event.target) event.preventDefault();
});

// What a reader has opened stays open in the part that takes its place.
document.addEventListener("htmx:beforeSwap", (event) => {
  const open = [...event.detail.target.querySelectorAll("details[open][id]")].map((each) => each.id);
  document.addEventListener(
    "htmx:afterSwap",
    () => {
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    },
    { once: true },
  );
});
