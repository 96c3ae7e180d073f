/* Small comforts for every page. Each page works without them. */
(() => {
  "use strict";

  // Times come as UTC from the server; here they are said in the reader's own zone, UTC stays in the title.
  const showLocalTimes = (root) => {
    for (const element of root.querySelectorAll("time[data-local]")) {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      const options = { dateStyle: "medium" };
      if (element.dataset.local === "datetime") options.timeStyle = "short";
      element.title = element.title || element.textContent.trim();
      element.textContent = new Intl.DateTimeFormat(document.documentElement.lang, options).format(moment);
    }
  };

  // A menu closes on Escape (the focus goes back to its button) and on a click elsewhere.
  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (menu !== except) menu.open = false;
    }
  };
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details[data-menu]")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details[data-menu][open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // Whoever comes back to a page sees what they have now.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) document.body.dispatchEvent(new Event("balance-changed"));
  });

  // The server is the judge of a custom amount; this only says beforehand what it will answer.
  const previewAmount = (form) => {
    const input = form.querySelector("input[name=amount]");
    const output = form.querySelector("[data-preview]");
    const { creditsPerUnit, minimum, maximum, available, locale } = form.dataset;
    const number = (value) => new Intl.NumberFormat(locale || "en", { maximumFractionDigits: 6 }).format(value);
    const update = () => {
      const amount = Number(input.value.replace(",", "."));
      const template = output.dataset;
      if (!input.value) output.textContent = template.empty;
      else if (!/^\d+([.,]\d{1,2})?$/.test(input.value.trim())) output.textContent = template.malformed;
      else if (amount < Number(minimum) || amount > Number(maximum)) output.textContent = template.outside;
      else {
        const credits = Math.round(amount * 100) * (Number(creditsPerUnit) / 100);
        output.textContent = template.text
          .replace("{credits}", number(credits))
          .replace("{after}", number(Number(available) + credits));
      }
    };
    const forgetRefusal = () => {
      input.removeAttribute("aria-invalid");
      input.closest(".field").querySelector(".errorlist")?.remove();
    };
    input.addEventListener("input", forgetRefusal, { once: true });
    input.addEventListener("input", update);
    if (input.getAttribute("aria-invalid") !== "true") update(); // what was refused is said beside it already
  };

  document.addEventListener("htmx:load", (event) => showLocalTimes(event.detail.elt));
  showLocalTimes(document);
  for (const form of document.querySelectorAll("form[data-custom-amount]")) previewAmount(form);
  document.querySelector("[data-focus]")?.focus();
})();
