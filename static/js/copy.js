/* A button that copies the text beside it. Without this script the text can be selected and copied by hand. */
(() => {
  "use strict";

  const copy = async (source) => {
    source.focus();
    source.select();
    try {
      await navigator.clipboard.writeText(source.value); // only on https and on this machine
      return true;
    } catch {
      return document.execCommand("copy");
    }
  };

  for (const button of document.querySelectorAll("[data-copy]")) {
    const field = button.closest(".field");
    const source = field.querySelector("[data-copy-source]");
    const status = field.querySelector("[data-copy-status]");
    button.hidden = false;
    button.addEventListener("click", async () => {
      const isCopied = await copy(source);
      status.textContent = ""; // so that a second copy is said again
      status.textContent = isCopied ? button.dataset.copied : button.dataset.failed;
      if (isCopied) button.focus();
    });
  }
})();
