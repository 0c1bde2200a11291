// What asks for itself again and again rests while nobody looks at the page.
"use strict";

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.closest("[data-while-visible]") === event.target) event.preventDefault();
});
