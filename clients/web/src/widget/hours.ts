const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const week = 7 * 24 * 60;

/** Whether somebody is there, and else when the next one is; milliseconds since 1970. */
export interface Opening {
  open: boolean;
  next?: number;
}

/**
 * Reads business hours such as "Europe/Berlin mon-fri 09:00-17:00, sat 10:00-14:00" at a
 * time. It throws a TypeError that says what is wrong with them.
 */
export function opening(hours: string, now: number): Opening {
  const [zone = "", rest = ""] = hours.trim().split(/\s+(.*)/s);
  const spans = rest.split(",").flatMap((part) => span(part.trim(), hours));
  const at = minuteOfWeek(now, zone, hours);
  if (spans.some(([from, to]) => (at - from + week) % week < to - from)) return { open: true };
  const wait = Math.min(...spans.map(([from]) => (from - at + week) % week));
  let next = Math.floor(now / 60_000 + wait) * 60_000;
  // A clock that was changed meanwhile shows another time.
  const off = (((at + wait) % week) - minuteOfWeek(next, zone, hours) + week) % week;
  next += (off > week / 2 ? off - week : off) * 60_000;
  return { open: false, next };
}

/** The minutes of a week from which to which it is open, one pair for each day. */
function span(part: string, hours: string): [number, number][] {
  const m = /^([a-z]{3})(?:-([a-z]{3}))? (\d\d):(\d\d)-(\d\d):(\d\d)$/i.exec(part);
  const first = days.indexOf((m?.[1] ?? "").toLowerCase());
  const last = days.indexOf((m?.[2] ?? m?.[1] ?? "").toLowerCase());
  const [from, to] = [Number(m?.[3]) * 60 + Number(m?.[4]), Number(m?.[5]) * 60 + Number(m?.[6])];
  if (!m || first < 0 || last < 0 || from >= to || to > 24 * 60) {
    throw new TypeError(
      `caseroom: "${part}" of the hours "${hours}" is not like mon-fri 09:00-17:00`,
    );
  }
  return Array.from({ length: ((last - first + 7) % 7) + 1 }, (_, i) => {
    const day = ((first + i) % 7) * 24 * 60;
    return [day + from, day + to];
  });
}

function minuteOfWeek(time: number, timeZone: string, hours: string): number {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  } catch {
    throw new TypeError(`caseroom: the hours "${hours}" do not begin with a time zone`);
  }
  const parts = Object.fromEntries(format.formatToParts(time).map((p) => [p.type, p.value]));
  const day = days.indexOf((parts.weekday ?? "").toLowerCase());
  return (day * 24 + Number(parts.hour)) * 60 + Number(parts.minute);
}
