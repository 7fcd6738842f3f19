// A stand-in for Zendesk's app framework script: the same calls, asked of the
// page around the app instead of Zendesk's agent workspace.
(() => {
  "use strict";
  const query = new URLSearchParams(location.search);
  const origin = query.get("origin");
  const guid = query.get("app_guid");
  let last = 0;
  const waiting = new Map();
  const handlers = new Map();

  const ask = (name, args) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve, reject });
      parent.postMessage({ zaf: "call", id, name, args }, origin);
    });

  addEventListener("message", ({ source, origin: from, data }) => {
    if (source !== parent || from !== origin || !data || typeof data !== "object") return;
    if (data.zaf === "answer" && waiting.has(data.id)) {
      const { resolve, reject } = waiting.get(data.id);
      waiting.delete(data.id);
      if (data.error === undefined) resolve(data.result);
      // An answer of the API that is an error comes as it is.
      else reject(typeof data.error === "string" ? new Error(data.error) : data.error);
    }
    if (data.zaf === "event") {
      for (const handler of handlers.get(data.name) ?? []) handler(data.data);
    }
  });

  const client = {
    get: (paths) => ask("get", [paths]),
    set: (path, value) => ask("set", [path, value]),
    invoke: (name, ...args) => ask("invoke", [name, ...args]),
    request: (options) => ask("request", [options]),
    context: () => ask("context", []),
    metadata: () => ask("metadata", []),
    on: (name, handler) => handlers.set(name, [...(handlers.get(name) ?? []), handler]),
    off: (name, handler) => handlers.set(name, (handlers.get(name) ?? []).filter((x) => x !== handler)),
    has: (name, handler) => (handlers.get(name) ?? []).includes(handler),
  };

  // Outside of Zendesk there is no client, as with the real script.
  window.ZAFClient = { init: () => (origin && guid && parent !== window ? client : false) };
})();
