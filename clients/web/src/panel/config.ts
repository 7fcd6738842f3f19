import type { ChatConfig } from "../chat/load";

/** What a hosted page is told by config.json beside it, or by the page that serves it. */
export interface PageConfig {
  /** The caseroom API; the page's own origin if absent. */
  api?: string;
  chat: ChatConfig;
  /** The origins that may show the page in a frame and give it credentials. */
  parents: string[];
  /** Ready-made answers; the built-in ones if absent. */
  quickReplies?: string[];
  /** The address of Zendesk's app framework script. */
  zaf: string;
}

const zafSdk = "https://static.zdassets.com/zendesk_app_framework_sdk/2.0/zaf_sdk.min.js";

/** Reads what the page carries itself, and config.json for the rest. */
export async function loadPageConfig(base: string): Promise<PageConfig> {
  const inline = readJson("caseroom-config");
  let hosted: Record<string, unknown> = {};
  try {
    const res = await fetch(new URL("config.json", base), { cache: "no-cache" });
    if (res.ok) hosted = (await res.json()) as Record<string, unknown>;
  } catch {
    // A page that carries all it needs has no such file beside it.
  }
  return parseConfig({ ...hosted, ...inline });
}

/** Checks a configuration: an unknown origin must not come in by a slip of the pen. */
export function parseConfig(c: Record<string, unknown>): PageConfig {
  const parents = strings(c.parents).map((p) => {
    const origin = new URL(p).origin;
    if (origin === "null") throw new TypeError(`config.json: parents: ${p} is no web address`);
    return origin;
  });
  const chat = (c.chat ?? { kind: "tencent" }) as ChatConfig;
  if (chat.kind !== "tencent" && !(chat.kind === "sandbox" && typeof chat.url === "string")) {
    throw new TypeError("config.json: chat.kind is tencent, or sandbox with a url");
  }
  return {
    chat,
    parents,
    zaf: typeof c.zaf === "string" ? c.zaf : zafSdk,
    ...(typeof c.api === "string" ? { api: c.api } : {}),
    ...(c.quickReplies === undefined ? {} : { quickReplies: strings(c.quickReplies) }),
  };
}

/** The JSON in a script element of the page, which no browser runs. */
export function readJson(id: string): Record<string, unknown> | undefined {
  const text = document.getElementById(id)?.textContent;
  return text ? (JSON.parse(text) as Record<string, unknown>) : undefined;
}

function strings(v: unknown): string[] {
  if (v === undefined) return [];
  if (!Array.isArray(v) || !v.every((x) => typeof x === "string")) {
    throw new TypeError("config.json: a list of texts was expected");
  }
  return v;
}
