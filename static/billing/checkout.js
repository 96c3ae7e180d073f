/* Mounts Stripe's embedded checkout. Stripe.js comes from Stripe alone; where it cannot be loaded, or does not answer in
   time, the form beside it opens Stripe's own page instead. */
(() => {
  "use strict";

  const TIMEOUT_MILLISECONDS = 20000;
  const place = document.querySelector("[data-checkout]");
  const fallback = document.querySelector("[data-hosted-form]");
  if (!place || !fallback) return;

  const skeleton = place.querySelector("[data-skeleton]");
  const target = place.querySelector("[data-target]");
  const fault = document.querySelector("[data-fault]");
  const faultText = fault.querySelector("[data-fault-text]");
  const retryButton = fault.querySelector("[data-retry]");
  const { stripeJs, publishableKey, checkoutUrl } = place.dataset;
  let countdown = 0;
  let problem = null;
  let page = null;

  const show = (element, isShown) => {
    element.hidden = !isShown;
  };

  const loadStripe = () =>
    new Promise((resolve, reject) => {
      if (window.Stripe) return resolve(window.Stripe);
      const script = document.createElement("script");
      script.src = stripeJs;
      script.onload = () => (window.Stripe ? resolve(window.Stripe) : reject(new Error("Stripe.js is empty")));
      script.onerror = () => reject(new Error("Stripe.js is blocked"));
      document.head.append(script);
    });

  const inTime = (promise) =>
    Promise.race([
      promise,
      new Promise((_, reject) => setTimeout(() => reject(new Error("Stripe took too long")), TIMEOUT_MILLISECONDS)),
    ]);

  // Opens the checkout on the server. The same page always sends the same key, so a retry never pays twice.
  const fetchClientSecret = async () => {
    const body = new FormData(fallback);
    body.set("ui_mode", "embedded");
    const response = await fetch(checkoutUrl, {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
      credentials: "same-origin",
    });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok || !answer.client_secret) {
      problem = { status: response.status, detail: answer.detail || "", wait: Number(response.headers.get("Retry-After")) };
      throw new Error(problem.detail || `The checkout answered ${response.status}`);
    }
    return answer.client_secret;
  };

  const tellFault = () => {
    const words = faultText.dataset;
    place.setAttribute("aria-busy", "false");
    show(place, false);
    show(fault, true);
    if (problem && problem.status === 429 && problem.wait) return waitAndRetry(problem.wait);
    faultText.textContent = problem ? problem.detail || words.refused : words.blocked;
    retryButton.disabled = false;
    fault.focus();
  };

  const waitAndRetry = (seconds) => {
    let left = seconds;
    retryButton.disabled = true;
    clearInterval(countdown);
    const tick = () => {
      faultText.textContent = faultText.dataset.limited.replace("{seconds}", left);
      if (left <= 0) {
        clearInterval(countdown);
        retryButton.disabled = false;
        faultText.textContent = faultText.dataset.ready;
      }
      left -= 1;
    };
    tick();
    countdown = setInterval(tick, 1000);
    fault.focus();
  };

  const mount = async () => {
    problem = null;
    show(fault, false);
    show(place, true);
    show(skeleton, true);
    place.setAttribute("aria-busy", "true");
    try {
      const Stripe = await inTime(loadStripe());
      page = await inTime(Stripe(publishableKey).createEmbeddedCheckoutPage({ fetchClientSecret }));
      page.mount(target);
      show(skeleton, false);
      place.setAttribute("aria-busy", "false");
    } catch (error) {
      page?.destroy();
      page = null;
      tellFault();
    }
  };

  retryButton.addEventListener("click", mount);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });
  mount();
})();
