import { expect, test } from "vitest";
import { opening } from "../../src/widget/hours";

const berlin = "Europe/Berlin mon-fri 09:00-17:00, sat 10:00-14:00";
const iso = (t: number | undefined) => (t ? new Date(t).toISOString() : "");

test.each([
  ["2026-11-30T08:00:00Z", true, ""],
  ["2026-11-30T07:59:30Z", false, "2026-11-30T08:00:00.000Z"],
  ["2026-11-30T16:00:00Z", false, "2026-12-01T08:00:00.000Z"],
  ["2026-12-05T12:59:00Z", true, ""],
  ["2026-12-05T13:00:00Z", false, "2026-12-07T08:00:00.000Z"],
  // The clock goes back between Saturday and Monday.
  ["2026-10-24T15:00:00Z", false, "2026-10-26T08:00:00.000Z"],
  ["2026-03-28T15:00:00Z", false, "2026-03-30T07:00:00.000Z"],
])("at %s it is open: %s, next %s", (now, open, next) => {
  const o = opening(berlin, Date.parse(now));
  expect(o.open).toBe(open);
  expect(iso(o.next)).toBe(next);
});

test("a week may turn inside of a span of days", () => {
  expect(opening("Asia/Tokyo sat-mon 00:00-24:00", Date.parse("2026-11-29T15:30:00Z")).open).toBe(
    true,
  );
});

test.each([
  "mon-fri 09:00-17:00",
  "Europe/Berlin",
  "Europe/Berlin mon 17:00-09:00",
  "Europe/Berlin daily 09:00-17:00",
])("%j is refused with a reason", (hours) => {
  expect(() => opening(hours, 0)).toThrow(/caseroom: /);
});
