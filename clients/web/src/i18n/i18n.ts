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

/** Scripts written from right to left. */
const rightToLeft = new Set(["Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm", "Rohg", "Mand"]);

/**
 * A tag that every `Intl` takes, from what sites and browsers say: "zh_TW", "de-DE@euro",
 * "en-US-u-hc-h12". Of a tag that means nothing, the part that does; else "".
 */
export function languageTag(said: string): string {
  const parts = (said.split(/[.@]/)[0] ?? "").trim().replaceAll("_", "-").split("-");
  for (let n = parts.length; n > 0; n--) {
    try {
      const tag = new Intl.Locale(parts.slice(0, n).join("-")).toString();
      return new Intl.NumberFormat(tag) && tag;
    } catch {
      // Without its last part, then.
    }
  }
  return "";
}

/** The language of a tag alone, such as "zh" of "zh_TW". */
export function primary(tag: string): string {
  return languageTag(tag).split("-")[0] ?? "";
}

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
  const known = tags.map(languageTag).filter(Boolean);
  const wanted = known.length ? known : ["en"];
  for (const tag of wanted) {
    const language = primary(tag);
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
    dir: dir ?? (rightToLeft.has(new Intl.Locale(lang).maximize().script ?? "") ? "rtl" : "ltr"),
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
  const own = languageTag(page);
  const theirs = browser.map(languageTag);
  const nearer = theirs.find((tag) => own && tag.startsWith(`${own}-`));
  return [nearer, own, ...theirs].filter((tag): tag is string => Boolean(tag));
}
