// Zendesk's side of an app's frame: what the app asks of the ticket it is on.
// The other half is the sandbox's stand-in for Zendesk's SDK.

export class ZafHost {
  /**
   * @param {HTMLIFrameElement} frame
   * @param {{ ticket: () => import("./tickets.js").Ticket | undefined, agent: import("./world.js").Person,
   *   agents: import("./world.js").Person[], api: (path: string) => Promise<{ status: number, body: unknown }> }} parts
   */
  constructor(frame, { ticket, agent, agents, api }) {
    this.frame = frame;
    this.ticket = ticket;
    this.agent = agent;
    this.agents = agents;
    this.api = api;
    addEventListener("message", this.hear);
  }

  close() {
    removeEventListener("message", this.hear);
  }

  hear = async (/** @type {MessageEvent} */ { source, origin, data }) => {
    const app = this.frame.contentWindow;
    if (!app || source !== app || data?.zaf !== "call") return;
    const answer = (/** @type {object} */ m) => app.postMessage({ zaf: "answer", id: data.id, ...m }, origin);
    try {
      answer({ result: await this.answer(data.name, data.args) });
    } catch (err) {
      answer({ error: err instanceof Error ? err.message : err });
    }
  };

  /**
   * @param {string} name
   * @param {any[]} args
   */
  answer(name, [first]) {
    switch (name) {
      case "get":
        return this.get(Array.isArray(first) ? first : [first]);
      case "context":
        return { product: "support", location: "ticket_sidebar", ticketId: Number(this.ticket()?.id) };
      case "metadata":
        return { appId: 1, installationId: 1, settings: {} };
      case "invoke":
        return {};
      case "request":
        return this.request(first.url);
      default:
        throw new Error(`the local run's Zendesk does not do ${name}`);
    }
  }

  /**
   * Zendesk's API with the agent's session.
   *
   * @param {string} path
   */
  async request(path) {
    const { status, body } = await this.api(path);
    if (status >= 400) throw { status, responseJSON: body };
    return body;
  }

  /** @param {string[]} paths */
  get(paths) {
    const t = this.ticket();
    const owner = this.agents.find(({ id }) => id === t?.owner);
    /** @type {Record<string, unknown>} */
    const values = {
      "ticket.id": Number(t?.id),
      "ticket.subject": t?.subject,
      "ticket.status": t?.status,
      "ticket.tags": t?.tags ?? [],
      "ticket.externalId": t?.externalId,
      "ticket.requester": t?.requester,
      "ticket.assignee": { user: owner && { id: Number(owner.id), name: owner.name } },
      currentUser: { id: Number(this.agent.id), name: this.agent.name, role: "agent", locale: navigator.language },
      "currentUser.locale": navigator.language,
    };
    /** @type {Record<string, any>} */
    const result = { errors: {} };
    for (const path of paths) {
      if (path in values) result[path] = values[path];
      else result.errors[path] = { message: `No such path: ${path}` };
    }
    return result;
  }
}
