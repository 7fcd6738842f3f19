import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Api, ApiError } from "../../src/api/api";
import { type CalendarStatus, findCalendar } from "../../src/panel/agent";
import { CalendarStore, type ConsentWindow } from "../../src/panel/calendar";
import { calendarTexts, table } from "../../src/panel/calendartexts";
import { FramedDesk } from "../../src/panel/framed";
import { ZendeskDesk } from "../../src/panel/zendesk";

const feedUrl = "https://api.example/calendar/feed?token=one";
const none: CalendarStatus = { state: "none", feedUrl };
const connected: CalendarStatus = { ...none, state: "connected", calendar: "Work" };
const refused = (status: number, retryAfter = 0) => new ApiError(status, "x", "", retryAfter);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The API's side: the next answer of each route, or the last one again. */
class Agent {
  calls: string[] = [];
  answers: Record<string, unknown[]> = {};
  ask = async <T>(method: "GET" | "POST", path: string): Promise<T> => {
    const call = `${method} ${path}`;
    this.calls.push(call);
    const list = this.answers[call] ?? [];
    const a = await (list.length > 1 ? list.shift() : list[0]);
    if (a === undefined) throw new Error(`nobody expects ${call}`);
    if (a instanceof Error) throw a;
    return a as T;
  };
}

class Popup implements ConsentWindow {
  closed = false;
  opener: unknown = {};
  at: { url: string; opener: unknown }[] = [];
  focused = 0;
  location = { replace: (url: string) => void this.at.push({ url, opener: this.opener }) };
  close() {
    this.closed = true;
  }
  focus() {
    this.focused++;
  }
}

function store(status: CalendarStatus, answers: Record<string, unknown[]> = {}) {
  const agent = new Agent();
  agent.answers = answers;
  const windows: Popup[] = [];
  const s = new CalendarStore(
    {
      agent,
      open: () => {
        const w = new Popup();
        windows.push(w);
        return w;
      },
    },
    status,
  );
  return { s, agent, windows };
}

const start = "https://api.example/calendar/connect?start=t";

test("connects in a window that cannot steer the panel, and looks when it closes", async () => {
  const { s, agent, windows } = store(none, {
    "GET /calendar/connect": [{ url: start }],
    "GET /calendar": [connected],
  });
  const asked = s.connect();
  // At once: a window that opens after an answer is one that browsers block.
  expect(windows).toHaveLength(1);
  expect(s.state.doing).toBe("connect");
  await asked;
  expect(windows[0]?.at).toEqual([{ url: start, opener: null }]);
  expect(s.state).toMatchObject({ consenting: true, doing: undefined });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(agent.calls).toEqual(["GET /calendar/connect"]);
  await s.connect();
  expect(windows).toHaveLength(1);
  expect(windows[0]?.focused).toBe(1);
  windows[0]?.close();
  await vi.advanceTimersByTimeAsync(1000);
  expect(s.state).toMatchObject({ consenting: false, status: connected });
  await vi.advanceTimersByTimeAsync(600_000);
  expect(agent.calls).toEqual(["GET /calendar/connect", "GET /calendar"]);
});

test("a return to the panel is a look: always after connecting, else now and then", async () => {
  const { s, agent, windows } = store(none, {
    "GET /calendar/connect": [{ url: start }],
    "GET /calendar": [none, none, none, connected, { ...connected, state: "revoked" }],
  });
  const looks = () => agent.calls.filter((c) => c === "GET /calendar").length;
  await s.back();
  expect(looks()).toBe(0);
  await vi.advanceTimersByTimeAsync(15_000);
  await s.back();
  await s.back();
  expect(looks()).toBe(1);
  await s.connect();
  await s.back();
  await s.back();
  expect(looks()).toBe(3);
  expect(s.state.status.state).toBe("none");
  await s.back();
  expect(s.state.status.state).toBe("connected");
  await s.back();
  expect(looks()).toBe(4);
  windows[0]?.close();
  await vi.advanceTimersByTimeAsync(1000);
  expect(s.state.status.state).toBe("revoked");
});

test.each([
  [0, "offline"],
  [401, "signedOut"],
  [403, "signedOut"],
  [429, "busy"],
  [503, "busy"],
  [504, "busy"],
  [500, "failed"],
  [502, "failed"],
])("a refusal of %i is told as %s, and the same can be tried again", async (status, problem) => {
  const { s, windows } = store(none, {
    "GET /calendar/connect": [refused(status), { url: start }],
    "GET /calendar": [connected],
  });
  await s.connect();
  expect(s.state).toMatchObject({ problem, doing: undefined });
  expect(windows[0]?.closed).toBe(true);
  await s.retry();
  expect(s.state.problem).toBeUndefined();
  expect(windows[1]?.at).toHaveLength(1);
});

test("a window that the browser blocks, and an address that is none", async () => {
  const agent = new Agent();
  agent.answers = { "GET /calendar/connect": [{ url: "javascript:alert(1)" }] };
  let blocks = true;
  const w = new Popup();
  const s = new CalendarStore({ agent, open: () => (blocks ? null : w) }, none);
  await s.connect();
  expect(s.state.problem).toBe("blocked");
  expect(agent.calls).toEqual([]);
  blocks = false;
  await s.retry();
  expect(s.state.problem).toBe("failed");
  expect(w).toMatchObject({ at: [], closed: true });
});

test("a window that is closed before its address came goes nowhere", async () => {
  let answer = (_: unknown) => {};
  const { s, windows } = store(none, {
    "GET /calendar/connect": [new Promise((done) => (answer = done))],
  });
  const asked = s.connect();
  windows[0]?.close();
  answer({ url: start });
  await asked;
  expect(windows[0]?.at).toEqual([]);
  expect(s.state).toMatchObject({ doing: undefined });
  expect(s.state.consenting).toBeFalsy();
});

test("disconnects, looks until that is done, and hears of no older answer", async () => {
  let late = (_: unknown) => {};
  const { s, agent } = store(connected, {
    "GET /calendar": [
      new Promise((done) => (late = done)),
      { ...none, state: "leaving" },
      { ...none, state: "leaving" },
      none,
    ],
    "GET /calendar/disconnect": [refused(503), { state: "leaving" }],
  });
  await vi.advanceTimersByTimeAsync(15_000);
  const looked = s.back();
  await s.disconnect();
  expect(s.state).toMatchObject({ problem: "busy", status: connected });
  await s.retry();
  expect(s.state.status).toEqual({ ...none, state: "leaving" });
  late(connected);
  await looked;
  expect(s.state.status.state).toBe("leaving");
  await vi.advanceTimersByTimeAsync(600_000);
  expect(s.state.status).toEqual(none);
  expect(agent.calls.filter((c) => c === "GET /calendar")).toHaveLength(4);
});

test("one thing at a time, and no window for what is not done", async () => {
  const { s, agent, windows } = store(connected, {
    "GET /calendar/disconnect": [new Promise(() => {})],
  });
  void s.disconnect();
  await s.connect();
  await s.newFeed();
  expect(windows).toEqual([]);
  expect(agent.calls).toEqual(["GET /calendar/disconnect"]);
});

test("a leaving that does not end is not asked about for ever, and none after closing", async () => {
  const leaving = { ...none, state: "leaving" as const };
  const { s, agent } = store(leaving, { "GET /calendar": [leaving] });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(agent.calls.length).toBeGreaterThan(3);
  expect(agent.calls.length).toBeLessThan(10);
  const closed = store(leaving, { "GET /calendar": [leaving] });
  closed.s.close();
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(closed.agent.calls).toEqual([]);
  s.close();
});

test("a new address of the feed", async () => {
  const { s } = store(connected, { "POST /calendar/feed": [{ feedUrl: `${feedUrl}2` }] });
  await s.newFeed();
  expect(s.state).toMatchObject({
    newFeed: true,
    status: { ...connected, feedUrl: `${feedUrl}2` },
  });
});

test("calendars that are turned off are gone; a quiet look tells no failure", async () => {
  const { s } = store(connected, { "GET /calendar": [refused(503), refused(404)] });
  await vi.advanceTimersByTimeAsync(15_000);
  await s.back();
  expect(s.state).toEqual({ status: connected });
  await vi.advanceTimersByTimeAsync(15_000);
  await s.back();
  expect(s.state.off).toBe(true);
});

test("looks for calendars until there is an answer, and not where there are none", async () => {
  const agent = new Agent();
  const stop = new AbortController();
  agent.answers = { "GET /calendar": [refused(503, 20), refused(0), connected] };
  const found = findCalendar(agent, stop.signal);
  await vi.advanceTimersByTimeAsync(19_999);
  expect(agent.calls).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await found).toEqual(connected);
  for (const status of [401, 404]) {
    agent.answers = { "GET /calendar": [refused(status)] };
    expect(await findCalendar(agent, stop.signal)).toBeUndefined();
  }
  agent.answers = { "GET /calendar": [refused(503)] };
  const given = findCalendar(agent, stop.signal);
  await vi.advanceTimersByTimeAsync(1);
  stop.abort();
  expect(await given).toBeUndefined();
});

test("only Zendesk's session speaks for an agent, and not when it is over", async () => {
  const page = { location: { origin: "" }, parent: {}, addEventListener: () => {} };
  expect("agent" in new FramedDesk([], page as unknown as Window)).toBe(false);
  const ask = vi.fn(async () => none);
  const zaf = {
    get: async () => ({}),
    on: () => {},
    invoke: async () => {},
    request: () => Promise.reject(new Error("not asked")),
    context: async () => ({}),
  };
  const desk = (expiresAt: string) =>
    new ZendeskDesk({ sessionToken: "s", expiresAt }, { ask } as unknown as Api, zaf);
  const soon = new Date(Date.now() + 3600_000).toISOString();
  expect(await desk(soon).agent.ask("GET", "/calendar")).toEqual(none);
  expect(ask).toHaveBeenCalledWith("GET", "/calendar", { bearer: "s" });
  const over = desk(new Date(Date.now()).toISOString());
  await expect(over.agent.ask("GET", "/calendar")).rejects.toMatchObject({ status: 401 });
  expect(ask).toHaveBeenCalledTimes(1);
});

test("all four languages say everything in their own words", () => {
  expect(Object.keys(table).sort()).toEqual(["en", "ja", "ru", "zh"]);
  const en = calendarTexts("en-GB");
  for (const lang of ["ja-JP", "zh", "ru"]) {
    const texts = calendarTexts(lang);
    expect(Object.keys(texts).sort()).toEqual(Object.keys(en).sort());
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(texts[key], key).not.toBe(en[key]);
      expect(texts[key].includes("{date}"), key).toBe(key === "since");
    }
  }
  expect(calendarTexts("fr")).toBe(en);
});
