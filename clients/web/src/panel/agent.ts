import { ApiError } from "../api/api";

/** The caseroom API in the name of the agent who looks at the panel. */
export interface AgentApi {
  /** Rejects with {@link ApiError}, also when the agent's session is over. */
  ask<T>(method: "GET" | "POST", path: string): Promise<T>;
}

/** What GET /calendar answers. */
export interface CalendarStatus {
  state: "none" | "connected" | "revoked" | "leaving";
  /** RFC 3339; when the state began. */
  since?: string;
  account?: string;
  calendar?: string;
  /** Holds a credential. */
  feedUrl: string;
}

const again = { least: 5_000, most: 60_000 };

/**
 * Looks for the agent's calendar connection until there is an answer. A stack
 * without calendars has no such route: undefined, as for a session that is over.
 */
export async function findCalendar(
  agent: AgentApi,
  signal: AbortSignal,
): Promise<CalendarStatus | undefined> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      return await agent.ask<CalendarStatus>("GET", "/calendar");
    } catch (err) {
      if (!(err instanceof ApiError) || !err.temporary) return undefined;
      const wait = Math.max(err.retryAfter * 1000, again.least * 2 ** Math.min(failures, 10));
      await sleep(Math.min(wait, again.most), signal);
    }
  }
  return undefined;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}
