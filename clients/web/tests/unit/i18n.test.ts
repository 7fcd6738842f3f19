import { expect, test } from "vitest";
import { en } from "../../src/i18n/en";
import { languageTag, loadLocale, pageLanguages, primary } from "../../src/i18n/i18n";

const names = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

test.each(["ja", "zh", "ru"])("%s says everything, with the same values", async (lang) => {
  const { texts } = (await import(`../../src/i18n/${lang}.ts`)) as { texts: typeof en };
  expect(Object.keys(texts).sort()).toEqual(Object.keys(en).sort());
  for (const key of Object.keys(en) as (keyof typeof en)[]) {
    expect(names(texts[key]), key).toEqual(names(en[key]));
    expect(texts[key], key).not.toBe(en[key]);
  }
});

test("the first language that there is, else English", async () => {
  expect((await loadLocale(["fr", "ja-JP", "en"])).lang).toBe("ja-JP");
  expect((await loadLocale(["fr"])).lang).toBe("en");
  expect((await loadLocale([])).t("request", { ticket: 5 })).toBe("Request 5");
});

test("own words, in a language of one's own", async () => {
  const l = await loadLocale(["ar"], { open: "تحدث معنا" });
  expect(l).toMatchObject({ lang: "ar", dir: "rtl" });
  expect(l.t("open")).toBe("تحدث معنا");
  expect((await loadLocale(["en"], {}, "rtl")).dir).toBe("rtl");
});

test.each([
  ["en", ["de-DE", "en-GB", "en"], ["en-GB", "en", "de-DE", "en-GB", "en"]],
  ["en-US", ["en-GB"], ["en-US", "en-GB"]],
  ["zh", ["ja-JP"], ["zh", "ja-JP"]],
  ["", ["ru-RU", "en"], ["ru-RU", "en"]],
])("a page in %j read by %j", (page, browser, want) => {
  expect(pageLanguages(page, browser)).toEqual(want);
});

test.each([
  ["zh_TW", "zh-TW"],
  ["ja_JP", "ja-JP"],
  ["pt-br", "pt-BR"],
  ["de_DE.UTF-8", "de-DE"],
  ["en-US@posix", "en-US"],
  ["en-US-x", "en-US"],
  ["en-a", "en"],
  ["zh-Hant-HK", "zh-Hant-HK"],
  ["C", ""],
  ["*", ""],
  ["", ""],
  ["x-none", ""],
])("%j is a tag that Intl takes: %j", (said, tag) => {
  expect(languageTag(said)).toBe(tag);
  if (tag) expect(() => new Intl.DateTimeFormat(tag).format(0)).not.toThrow();
});

test("whatever a page says its language is, dates and numbers can be written in it", async () => {
  for (const tag of ["zh_TW", "C", "x", "en--US", "i-klingon", "\u0000", "a".repeat(99)]) {
    const { lang } = await loadLocale([tag], { open: "x" });
    expect(() => new Intl.ListFormat(lang).format(["a"])).not.toThrow();
  }
  expect((await loadLocale(["ja_JP"])).t("open")).toBe("チャットで問い合わせる");
  expect((await loadLocale(["az_Arab_IR"], { open: "x" })).dir).toBe("rtl");
  expect(primary("ru_RU")).toBe("ru");
});
