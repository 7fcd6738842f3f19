import { en, type Texts } from "./en";

export type { Texts };

/** What a page says, and in which language and direction. */
export interface Locale {
  /** A BCP 47 tag. */
  lang: string;
  dir: "ltr" | "rtl";
  t: (key: keyof Texts, values?: Record<string, string | number>) => string;
}

const loaders: Record<string, () => Promise<{ texts: Texts }>> = {
  ja: () => import("./ja"),
  zh: () => import("./zh"),
  ru: () => import("./ru"),
};

/** Scripts written from right to left, by language. */
const rightToLeft = new Set(["ar", "fa", "he", "ur", "ps", "sd", "ug", "yi", "dv", "ckb"]);

/** English, which is always there. */
export const english = locale("en", en);

/**
 * Loads the texts for the first of the tags that there are any for, else English.
 * `own` are a site's own words; they also make a language that is not built in.
 * The direction follows the element around the widget if that says one.
 */
export async function loadLocale(
  tags: readonly string[],
  own: Partial<Texts> = {},
  dir?: "ltr" | "rtl",
): Promise<Locale> {
  const wanted = tags.length ? tags : ["en"];
  for (const tag of wanted) {
    const language = tag.toLowerCase().split("-")[0] ?? "";
    const load = loaders[language];
    if (!load && language !== "en") continue;
    try {
      const texts = load ? (await load()).texts : en;
      return locale(tag, { ...texts, ...own }, dir);
    } catch {
      break; // The network: better English than nothing.
    }
  }
  const hasOwn = Object.keys(own).length > 0;
  return locale(hasOwn ? (wanted[0] as string) : "en", { ...en, ...own }, dir);
}

function locale(lang: string, texts: Texts, dir?: "ltr" | "rtl"): Locale {
  return {
    lang,
    dir: dir ?? (rightToLeft.has(lang.toLowerCase().split("-")[0] ?? "") ? "rtl" : "ltr"),
    t: (key, values = {}) =>
      texts[key].replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all)),
  };
}

/**
 * The page's own language, then the browser's. A page says "en", and the reader's
 * browser which: times and numbers are theirs.
 */
export function pageLanguages(
  page = document.documentElement.lang,
  browser: readonly string[] = navigator.languages,
): string[] {
  const nearer = browser.find((tag) => tag.toLowerCase().startsWith(`${page.toLowerCase()}-`));
  return [page && nearer, page, ...browser].filter((tag): tag is string => Boolean(tag));
}
