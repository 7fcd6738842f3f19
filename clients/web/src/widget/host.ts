/** The element's name, and the id by which a site's own scripts hold on to it. */
const name = "caseroom-widget";

export interface Controls {
  open(): void;
  close(): void;
}

/** Puts the widget's element on the page and keeps it there; `remove` takes it away for good. */
export function createHost(
  controls: Controls,
  container: HTMLElement | undefined,
): { host: HTMLElement; root: ShadowRoot; remove: () => void } {
  define();
  const host = document.createElement(name);
  Object.assign(host, { open: controls.open, close: controls.close });
  if (container) host.dataset.inline = "";
  else {
    // Turbo and Astro carry an element with these over to the next page.
    if (!document.getElementById(name)) host.id = name;
    host.dataset.turboPermanent = "";
    host.dataset.astroTransitionPersist = name;
  }
  const root = host.attachShadow({ mode: "open" });
  // What is typed here is no short cut of the page.
  for (const type of ["keydown", "keypress", "keyup"]) {
    root.addEventListener(type, (e) => e.stopPropagation());
  }
  const off = container ? () => {} : keepIn(host);
  (container ?? document.body).append(host);
  return {
    host,
    root,
    remove: () => {
      off();
      host.remove();
    },
  };
}

/** A page may hide what is not defined. */
function define(): void {
  if (!customElements.get(name)) customElements.define(name, class extends HTMLElement {});
}

/**
 * Puts the host element back when a navigation without a page load has replaced the body
 * or its content. Empty copies of the host that the new body brings along are removed.
 */
function keepIn(host: HTMLElement): () => void {
  let body: HTMLElement | undefined;
  const check = () => {
    if (!document.body) return;
    if (!host.isConnected) {
      if (host.id) {
        for (const copy of document.querySelectorAll(`${name}#${host.id}`)) {
          if (!copy.shadowRoot) copy.remove();
        }
      }
      document.body.append(host);
    }
    if (body !== document.body) {
      body = document.body;
      changes.observe(body, { childList: true });
    }
  };
  const changes = new MutationObserver(check);
  changes.observe(document.documentElement, { childList: true });
  queueMicrotask(check);
  return () => changes.disconnect();
}
