/* A stand-in for Stripe.js, for development and tests: embedded Checkout as API version 2026-10-28.endive has it. */
(function () {
  "use strict";

  const origin = new URL(document.currentScript.src).origin;
  let mounted = null;

  class IntegrationError extends Error {
    constructor(message) {
      super(message);
      this.name = "IntegrationError";
    }
  }

  class EmbeddedCheckoutPage {
    constructor(clientSecret, onComplete) {
      this.clientSecret = clientSecret;
      this.onComplete = onComplete;
      this.frame = null;
      this.isDestroyed = false;
      this.listen = (message) => this.receive(message);
    }

    mount(location) {
      if (this.isDestroyed) {
        throw new IntegrationError("This embedded Checkout has been destroyed.");
      }
      const place = typeof location === "string" ? document.querySelector(location) : location;
      if (!place) {
        throw new IntegrationError(`The selector or element you specified (${location}) applies to no DOM elements.`);
      }
      this.unmount();
      const sessionId = this.clientSecret.split("_secret_")[0];
      const address = new URL(`/c/pay/${encodeURIComponent(sessionId)}`, origin);
      address.searchParams.set("client_secret", this.clientSecret);
      address.searchParams.set("host_origin", window.location.origin);
      const frame = document.createElement("iframe");
      frame.title = "Secure payment input frame";
      frame.name = "embedded-checkout";
      frame.src = address.href;
      frame.allow = "payment *";
      frame.style.width = "100%";
      frame.style.minHeight = "400px";
      frame.style.border = "0";
      frame.style.colorScheme = "auto";
      this.frame = frame;
      window.addEventListener("message", this.listen);
      place.replaceChildren(frame);
    }

    unmount() {
      window.removeEventListener("message", this.listen);
      if (this.frame) {
        this.frame.remove();
        this.frame = null;
      }
    }

    destroy() {
      this.unmount();
      this.isDestroyed = true;
      if (mounted === this) {
        mounted = null;
      }
    }

    receive(message) {
      if (message.origin !== origin || !this.frame || message.source !== this.frame.contentWindow) {
        return;
      }
      const { type, height, returnUrl } = message.data || {};
      if (type === "sandbox:height" && Number.isFinite(height)) {
        this.frame.style.height = `${Math.ceil(height)}px`;
      } else if (type === "sandbox:complete" && returnUrl) {
        window.location.assign(returnUrl);
      } else if (type === "sandbox:complete" && typeof this.onComplete === "function") {
        this.onComplete();
      }
    }
  }

  window.Stripe = function Stripe(publishableKey) {
    if (typeof publishableKey !== "string" || !publishableKey.startsWith("pk_test_")) {
      throw new IntegrationError("Please call Stripe() with your publishable key. The sandbox takes test keys only.");
    }
    return {
      async createEmbeddedCheckoutPage({ fetchClientSecret, onComplete } = {}) {
        if (typeof fetchClientSecret !== "function") {
          throw new IntegrationError("createEmbeddedCheckoutPage needs the option fetchClientSecret, a function.");
        }
        if (mounted) {
          throw new IntegrationError("You cannot have multiple embedded Checkout objects.");
        }
        const page = new EmbeddedCheckoutPage("", onComplete);
        mounted = page;
        try {
          page.clientSecret = await fetchClientSecret();
        } catch (error) {
          mounted = null;
          throw error;
        }
        if (typeof page.clientSecret !== "string" || !page.clientSecret.includes("_secret_")) {
          mounted = null;
          throw new IntegrationError("fetchClientSecret must give the client secret of a Checkout Session.");
        }
        return page;
      },
      initEmbeddedCheckout() {
        throw new IntegrationError("initEmbeddedCheckout() was renamed: call createEmbeddedCheckoutPage() instead.");
      },
    };
  };
})();
