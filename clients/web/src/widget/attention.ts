/** Shows a count before the page's title, whatever the page makes of its title meanwhile. */
export class TitleCount {
  #shown = "";
  readonly #changes = new MutationObserver(() => this.#write());

  set(count: number): void {
    const before = this.#shown;
    this.#shown = count > 0 ? `(${count}) ` : "";
    if (before === this.#shown) return;
    this.#changes.disconnect();
    if (document.title.startsWith(before)) document.title = document.title.slice(before.length);
    if (!this.#shown) return;
    this.#write();
    this.#changes.observe(document.head, { childList: true, subtree: true, characterData: true });
  }

  #write(): void {
    if (!document.title.startsWith(this.#shown)) document.title = this.#shown + document.title;
  }
}

/** Two short notes; a page that nobody has touched yet may stay silent. */
export function chime(): void {
  try {
    const audio = new AudioContext();
    const gain = audio.createGain();
    gain.gain.value = 0.05;
    gain.connect(audio.destination);
    for (const [i, hertz] of [660, 880].entries()) {
      const tone = audio.createOscillator();
      tone.frequency.value = hertz;
      tone.connect(gain);
      tone.start(audio.currentTime + i * 0.12);
      tone.stop(audio.currentTime + i * 0.12 + 0.1);
    }
    setTimeout(() => void audio.close(), 1_000);
  } catch {
    // No sound, then.
  }
}

/** Tells whoever looks at another tab; a click brings them here. */
export function notify(title: string, body: string, onClick: () => void): void {
  try {
    if (Notification.permission !== "granted" || document.visibilityState === "visible") return;
    const notification = new Notification(title, { body, tag: "caseroom" });
    notification.onclick = () => {
      globalThis.focus();
      onClick();
      notification.close();
    };
  } catch {
    // This browser has none, or none outside of a service worker.
  }
}
