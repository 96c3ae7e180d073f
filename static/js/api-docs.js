/* Draws the schema that the page names. Requests that are tried out go to this site only. */
(() => {
  "use strict";

  const place = document.getElementById("api-docs");

  // A logged-in browser's session counts only with its token beside it.
  const addToken = (request) => {
    const token = document.cookie.match(/(?:^|; )(?:__Host-)?csrftoken=([^;]+)/);
    if (token && new URL(request.url, location.href).origin === location.origin) {
      request.headers["X-CSRFToken"] = token[1];
    }
    return request;
  };

  window.SwaggerUIBundle({
    url: place.dataset.schema,
    domNode: place,
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    persistAuthorization: false,
    validatorUrl: null,
    requestInterceptor: addToken,
  });
})();
