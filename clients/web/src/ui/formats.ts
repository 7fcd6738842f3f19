/** How a language and region writes times, days, lists and sizes. */
export interface Formats {
  /** Of a day, such as "3:39 PM". */
  time(ms: number): string;
  /** "today", "yesterday", else the date. */
  day(ms: number): string;
  list(names: string[]): string;
  size(bytes: number): string;
}

const made = new Map<string, Formats>();

/** The formats of a language tag, made once: making them costs more than all they write. */
export function formats(lang: string): Formats {
  const had = made.get(lang);
  if (had) return had;
  const time = new Intl.DateTimeFormat(lang, { timeStyle: "short" });
  const date = new Intl.DateTimeFormat(lang, { dateStyle: "full" });
  const near = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
  const list = new Intl.ListFormat(lang);
  const sizes = (["byte", "kilobyte", "megabyte"] as const).map(
    (unit, i) =>
      new Intl.NumberFormat(lang, {
        style: "unit",
        unit,
        unitDisplay: i === 0 ? "long" : "short",
        maximumFractionDigits: i,
      }),
  );
  const f: Formats = {
    time: (ms) => time.format(ms),
    day: (ms) => {
      const ago = dayNumber(Date.now()) - dayNumber(ms);
      return ago === 0 || ago === 1 ? capital(near.format(-ago, "day"), lang) : date.format(ms);
    },
    list: (names) => list.format(names),
    size: (bytes) => {
      const i = bytes < 1024 ? 0 : bytes < 1024 ** 2 ? 1 : 2;
      return (sizes[i] as Intl.NumberFormat).format(bytes / 1024 ** i);
    },
  };
  made.set(lang, f);
  return f;
}

/** Counts the days of the reader's own calendar, so that neighbours differ by one. */
export function dayNumber(ms: number): number {
  const d = new Date(ms);
  return Date.UTC(d.getFullYear(), d.getMonth(), d.getDate()) / 86_400_000;
}

function capital(text: string, lang: string): string {
  return text.charAt(0).toLocaleUpperCase(lang) + text.slice(1);
}
