/* What the checkout page does by script; it works without, but for the frame's height and the way back. */
(function () {
  "use strict";

  const page = document.body.dataset;
  const isFramed = window.parent !== window && page.hostOrigin;

  function tell(message) {
    if (isFramed) {
      window.parent.postMessage(message, page.hostOrigin);
    }
  }

  if (isFramed) {
    const tellHeight = () => tell({ type: "sandbox:height", height: document.querySelector("main").scrollHeight });
    new ResizeObserver(tellHeight).observe(document.querySelector("main"));
    tellHeight();
  }

  if (page.outcome === "complete") {
    tell({ type: "sandbox:complete", returnUrl: page.returnUrl || null });
  }

  const message = document.querySelector("[role=alert]");
  if (message) {
    message.focus();
  }

  document.querySelectorAll("[data-fill]").forEach((button) => {
    button.addEventListener("click", () => {
      const fields = JSON.parse(button.dataset.fill);
      Object.entries(fields).forEach(([name, value]) => {
        document.querySelector(`[name=${name}]`).value = value;
      });
      document.querySelector("[data-pay]").focus();
    });
  });

  const number = document.querySelector("[name=number]");
  if (number) {
    number.addEventListener("change", () => {
      number.value = number.value.replace(/\D/g, "").replace(/(.{4})(?=.)/g, "$1 ");
    });
  }

  const compute = document.querySelector("[data-set-location]");
  if (compute) {
    document.querySelectorAll("[data-relocate]").forEach((field) => {
      field.addEventListener("change", () => compute.form.requestSubmit(compute));
    });
  }

  document.querySelectorAll("form").forEach((form) => {
    form.addEventListener("submit", (event) => {
      if (form.dataset.isSent) {
        event.preventDefault();
        return;
      }
      form.dataset.isSent = "yes";
      form.setAttribute("aria-busy", "true");
    });
  });
})();
