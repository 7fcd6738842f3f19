// What only an admin's browser session may do in Zendesk Integration Services:
// https://developer.zendesk.com/api-reference/integration-services/
//
// Every call is idempotent in effect: a set-up that was cut off is run again.

const root = "/api/services/zis";
export const connectionName = "caseroom";

/** A refusal. Its code names a text; nothing of a request or an answer is in it. */
export class ZisError extends Error {
  constructor(code, status = 0) {
    super(`zis: ${code}${status ? ` (${status})` : ""}`);
    this.code = code;
    this.status = status;
  }
}

/** The names of a bundle's job specs. */
export function jobSpecNames(bundle) {
  return Object.values(bundle.resources)
    .filter((r) => r.type === "ZIS::JobSpec")
    .map((r) => r.properties.name);
}

export class Zis {
  /**
   * @param client Zendesk's app framework client
   * @param integration the integration's name
   * @param bundle what caseroom made for it
   */
  constructor(client, integration, bundle) {
    this.client = client;
    this.integration = integration;
    this.bundle = bundle;
    this.i = encodeURIComponent(integration);
  }

  /** Registers the integration. The client secret in the answer is not kept: nothing here needs it. */
  async register() {
    const { status, text } = await this.call("POST", `${root}/registry/${this.i}`, {
      description: "Tells caseroom which ticket changed",
    });
    if (status === 409 || ok(status)) return;
    if (status === 400 && text.includes("not available")) throw new ZisError("nameTaken", status);
    throw refusal(status);
  }

  /** Stores the bearer with which the flows call caseroom, for its host alone. */
  async connect(bearer) {
    const action = Object.values(this.bundle.resources).find((r) => r.type === "ZIS::Action::Http");
    const host = new URL(action.properties.definition.url).hostname;
    const body = { name: connectionName, token: bearer, allowed_domain: host };
    const path = `${root}/integrations/${this.i}/connections/bearer_token`;
    if (await this.connected()) {
      const { status } = await this.call("PATCH", `${path}/${connectionName}`, body);
      if (!ok(status)) throw refusal(status);
      return;
    }
    const { status } = await this.call("POST", path, body);
    if (!ok(status)) throw refusal(status);
  }

  async connected() {
    const { status, json } = await this.call("GET", `${root}/integrations/${this.i}/connections/all`);
    if (status === 404) return false;
    if (!ok(status)) throw refusal(status);
    return (json?.bearer_token ?? []).some((c) => c.name === connectionName);
  }

  async upload() {
    const { status } = await this.call("POST", `${root}/registry/${this.i}/bundles`, this.bundle);
    if (!ok(status)) throw refusal(status);
  }

  /** An upload leaves installed job specs without effect: all are installed again. */
  async install() {
    for (const name of jobSpecNames(this.bundle)) {
      const { status } = await this.call("POST", this.spec(name));
      if (!ok(status) && status !== 409) throw refusal(status);
    }
  }

  /** Takes the job specs out of service, also those of older bundles. */
  async uninstall() {
    const installed = (await this.jobSpecs()) ?? [];
    for (const { name } of installed.filter((s) => s.installed)) {
      const { status } = await this.call("DELETE", this.spec(name));
      if (!ok(status) && status !== 404) throw refusal(status);
    }
  }

  spec(name) {
    const arn = name.startsWith("zis:") ? name : `zis:${this.integration}:job_spec:${name}`;
    return `${root}/registry/job_specs/install?job_spec_name=${encodeURIComponent(arn)}`;
  }

  /** The registry's job specs; undefined if there is no such integration. */
  async jobSpecs() {
    const list = [];
    let path = `${root}/registry/${this.i}/job_specs`;
    for (let page = 0; page < 20; page++) {
      const { status, json } = await this.call("GET", path);
      if (status === 404) return undefined;
      if (!ok(status)) throw refusal(status);
      list.push(...(json?.job_specs ?? []));
      if (!json?.meta?.has_more || !json.meta.after) break;
      path = `${root}/registry/${this.i}/job_specs?page[after]=${encodeURIComponent(json.meta.after)}`;
    }
    return list;
  }

  /** How many of the bundle's job specs are in service. */
  async status() {
    const wanted = jobSpecNames(this.bundle);
    const specs = await this.jobSpecs();
    if (specs === undefined) return { registered: false, connected: false, installed: 0, wanted: wanted.length };
    const on = new Set(specs.filter((s) => s.installed).map((s) => s.name.split(":").at(-1)));
    return {
      registered: true,
      connected: await this.connected(),
      installed: wanted.filter((name) => on.has(name)).length,
      wanted: wanted.length,
    };
  }

  async call(type, url, body) {
    try {
      const data = await this.client.request({
        url,
        type,
        httpCompleteResponse: true,
        ...(body === undefined ? {} : { contentType: "application/json", data: JSON.stringify(body) }),
      });
      return { status: data?.status ?? 200, json: data?.responseJSON ?? data, text: "" };
    } catch (err) {
      const status = err?.status ?? 0;
      if (!status) throw new ZisError("offline");
      return { status, json: err.responseJSON, text: String(err.responseText ?? "") };
    }
  }
}

const ok = (status) => status >= 200 && status < 300;

function refusal(status) {
  if (status === 401 || status === 403) return new ZisError("notAdmin", status);
  if (status === 404) return new ZisError("notThere", status);
  if (status === 429 || status >= 500) return new ZisError("busy", status);
  return new ZisError("refused", status);
}

/** Whether the API answers and refuses who has no proof, as it must. */
export async function apiAnswers(client, api) {
  try {
    await client.request({
      url: `${api}/zendesk/events`,
      type: "POST",
      cors: false,
      contentType: "application/json",
      data: JSON.stringify({ ticketId: "1" }),
    });
  } catch (err) {
    return err?.status === 401;
  }
  return false;
}

/** The account's active webhook to caseroom: its name, if there is one. */
export async function webhookTo(client, api) {
  const answer = await client.request({ url: "/api/v2/webhooks?page[size]=100", type: "GET" });
  const hook = (answer.webhooks ?? []).find((w) => w.endpoint === `${api}/zendesk/events`);
  return hook && { name: hook.name, active: hook.status === "active" };
}
