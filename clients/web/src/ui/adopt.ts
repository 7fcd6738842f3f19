/**
 * Gives a document or a shadow root a style sheet without a style element, so that a strict
 * Content-Security-Policy has nothing to say about it. Safari before 16.4 needs the element.
 */
export function adopt(root: Document | ShadowRoot, css: string): void {
  if ("adoptedStyleSheets" in root) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    return;
  }
  const style = document.createElement("style");
  style.textContent = css;
  ("head" in root ? (root as Document).head : (root as ShadowRoot)).append(style);
}
