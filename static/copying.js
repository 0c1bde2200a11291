// A button beside what is shown once puts it on the clipboard. Without this file it is selected and copied by hand.
"use strict";
for (const button of document.querySelectorAll("[data-copies]")) {
  const field = document.getElementById(button.dataset.copies);
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      document.execCommand("copy"); // an address without HTTPS has no clipboard of the new kind
    }
    button.firstElementChild.textContent = button.dataset.copied;
    dispatchEvent(new CustomEvent("say", { detail: { words: button.dataset.copied } }));
  });
}
