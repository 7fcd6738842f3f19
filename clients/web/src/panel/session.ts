import { useEffect, useMemo } from "preact/hooks";
import { type ChatConfig, loadChat } from "../chat/load";
import { Session } from "../chat/session";
import type { Desk } from "./desk";
import { canShare, SharedChat } from "./sharedchat";

/** One login for all of the agent's panels in this browser, where it lets them find each other. */
export function useSession(desk: Desk, chat: ChatConfig): Session {
  const session = useMemo(() => {
    const s = new Session({
      load: async (app) =>
        canShare() ? new SharedChat(() => loadChat(chat, app)) : loadChat(chat, app),
      renew: () => desk.renew(),
    });
    desk.onCredentials((c) => void s.take(c));
    return s;
  }, [desk, chat]);
  useEffect(() => {
    void session.retry();
    // Another browser may have the login; whoever turns to a ticket wants it here.
    const off = desk.onFront(() => {
      if (session.state.phase === "open" && session.state.connection === "kicked") {
        void session.retry();
      }
    });
    return () => {
      off();
      void session.close();
    };
  }, [session, desk]);
  return session;
}
