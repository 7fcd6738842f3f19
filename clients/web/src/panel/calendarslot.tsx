import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type CalendarStatus, findCalendar } from "./agent";
import type { CalendarProps } from "./calendar";

/** The place of the agent's calendar: empty, and nothing is loaded, where there are none. */
export function CalendarSlot({ agent, locale }: Omit<CalendarProps, "status">) {
  const [found, setFound] = useState<{
    status: CalendarStatus;
    View: ComponentType<CalendarProps>;
  }>();
  useEffect(() => {
    const gone = new AbortController();
    void (async () => {
      const status = await findCalendar(agent, gone.signal);
      if (!status) return;
      const { CalendarView } = await import("./calendarview");
      if (!gone.signal.aborted) setFound({ status, View: CalendarView });
    })().catch(() => {
      // Its code did not come. The chat beside it is what the agent is here for.
    });
    return () => gone.abort();
  }, [agent]);
  return found ? <found.View agent={agent} status={found.status} locale={locale} /> : null;
}
