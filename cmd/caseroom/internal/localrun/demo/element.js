/**
 * Makes an element: h("button", {type: "button", onclick}, "Text").
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number | boolean | undefined | ((e: any) => void)>} props
 * @param {...(Node | string | false | null | undefined)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (typeof v === "function") el.addEventListener(k.slice(2), v);
    else if (v === true) el.setAttribute(k, "");
    else if (v !== false && v !== undefined) el.setAttribute(k, String(v));
  }
  for (const child of children) if (child) el.append(child);
  return el;
}

/** @param {string} id */
export function byId(id) {
  const el = document.getElementById(id);
  if (!el) throw new Error(`there is no #${id}`);
  return el;
}

const drawn = new Map();

/**
 * Draws a part of the page again only when what it shows has changed, so that
 * nobody loses the focus or a text.
 *
 * @param {string} id
 * @param {unknown} what
 * @param {() => Node[]} make
 */
export function part(id, what, make) {
  const key = JSON.stringify(what);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.key;
  const el = byId(id);
  el.replaceChildren(...make());
  if (!focused) return;
  const again = el.querySelector(`[data-key="${CSS.escape(focused)}"]`);
  if (again instanceof HTMLElement) again.focus();
}
