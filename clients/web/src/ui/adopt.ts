/**
 * Gives a document or a shadow root a style sheet without a style element, so
 * that a strict Content-Security-Policy has nothing to say about it.
 */
export function adopt(root: Document | ShadowRoot, css: string): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}
