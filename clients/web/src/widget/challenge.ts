/** A service that tells people from programs, and the site's key there. */
export interface ChallengeOptions {
  service: "turnstile" | "hcaptcha";
  siteKey: string;
}

/**
 * What both services' scripts put on the page:
 * https://developers.cloudflare.com/turnstile/get-started/client-side-rendering/ and
 * https://docs.hcaptcha.com/configuration.
 */
interface Service {
  render(
    container: HTMLElement,
    params: {
      sitekey: string;
      callback: (token: string) => void;
      "error-callback": () => void;
      "expired-callback": () => void;
    },
  ): string | undefined;
  reset(widget: string | undefined): void;
}

const scripts = {
  turnstile: "https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit",
  hcaptcha: "https://js.hcaptcha.com/1/api.js?render=explicit",
};

/**
 * Returns a function that has the visitor pass the challenge and resolves with its token. A
 * token is good for one request. It rejects when the service cannot be reached.
 */
export function challenger(host: HTMLElement, o: ChallengeOptions): () => Promise<string> {
  let widget: string | undefined;
  let box: HTMLElement | undefined;
  let settle: { resolve(token: string): void; reject(err: unknown): void } | undefined;
  return async () => {
    settle?.reject(new Error("caseroom: another challenge has begun"));
    const service = await load(o.service);
    return new Promise((resolve, reject) => {
      settle = { resolve, reject };
      if (box?.isConnected) {
        service.reset(widget);
        return;
      }
      box = document.createElement("div");
      box.slot = "challenge"; // in the page: the services look for it there, not in a shadow
      host.append(box);
      const failed = () => settle?.reject(new Error("caseroom: the challenge failed"));
      widget = service.render(box, {
        sitekey: o.siteKey,
        callback: (token) => settle?.resolve(token),
        "error-callback": failed,
        "expired-callback": failed,
      });
    });
  };
}

/** Loads the service's script once a page; one that the page has already is used. */
function load(name: ChallengeOptions["service"]): Promise<Service> {
  const here = () => (globalThis as unknown as Record<string, Service | undefined>)[name];
  const found = here();
  if (found?.render) return Promise.resolve(found);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = scripts[name];
    script.async = true;
    script.onload = () => {
      const loaded = here();
      if (loaded?.render) resolve(loaded);
      else reject(new Error("caseroom: the challenge's script is of another kind"));
    };
    script.onerror = () => {
      script.remove();
      reject(new Error("caseroom: the challenge's script does not load"));
    };
    document.head.append(script);
  });
}
