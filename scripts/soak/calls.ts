// HTTP calls of the clients.

import { HOSTILE_CALLS } from "./hostile.ts";
import { type Spans, wasOff } from "./spans.ts";
import type { Token } from "./token.ts";

/** The server as its clients reach it. */
export interface Calls {
  /**
   * A binding token; `undefined` when there is none because one of the Subscriptions is off, or because the answer is a
   * violation.
   */
  mint(caller: string, ids: readonly string[], asPost: boolean): Promise<Token | undefined>;
  /** A call that has to be refused in the way it deserves. */
  hostile(caller: string | undefined, choice: number): Promise<void>;
  /** Asks for a revocation, or for another status of a Subscription, and waits until it is done. */
  change(what: object): Promise<void>;
  readonly counts: { calls: number; hostileCalls: number };
}

interface Answer {
  readonly parameter: readonly {
    readonly name: string;
    readonly valueString?: string;
    readonly valueDateTime?: string;
  }[];
}

export function createCalls(port: number, spans: Spans, violated: (what: string) => void): Calls {
  const origin = `http://127.0.0.1:${port}`;
  const operation = `${origin}/fhir/R5/Subscription`;
  const counts = { calls: 0, hostileCalls: 0 };
  return {
    counts,
    async mint(caller, ids, asPost) {
      const headers = { authorization: `Bearer ${caller}`, "content-type": "application/fhir+json" };
      const askedAt = Date.now();
      const response = asPost
        ? await fetch(`${operation}/$get-ws-binding-token`, {
          method: "POST",
          headers,
          body: JSON.stringify(parameters(ids)),
        })
        : await fetch(`${operation}/$get-ws-binding-token?${ids.map((id) => `id=${id}`).join("&")}`, { headers });
      const text = await response.text();
      counts.calls++;
      if (response.status === 422 && ids.some((id) => wasOff(id, askedAt, spans))) return undefined;
      if (response.status !== 200) {
        violated(`a token call for ${ids} answers ${response.status}: ${text}`);
        return undefined;
      }
      const { parameter }: Answer = JSON.parse(text);
      const token = parameter.find(({ name }) => name === "token")?.valueString ?? "";
      const { jti } = JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
      const expiresAt = Date.parse(parameter.find(({ name }) => name === "expiration")?.valueDateTime ?? "");
      return { text: token, jti, caller, ids, expiresAt, askedAt, answeredAt: Date.now() };
    },
    async hostile(caller, choice) {
      const call = HOSTILE_CALLS[Math.floor(choice * HOSTILE_CALLS.length)];
      if (call === undefined) return;
      const { path, init, name } = call;
      const status = caller === undefined ? 401 : call.status;
      const headers = { ...init?.headers, ...(caller !== undefined && { authorization: `Bearer ${caller}` }) };
      const response = await fetch(`${operation}/${path}`, { ...init, headers });
      const text = await response.text();
      counts.hostileCalls++;
      const isRefusal = response.status === status || caller === undefined && response.status === call.status;
      if (!isRefusal) violated(`the hostile call "${name}" answers ${response.status}, not ${status}: ${text}`);
    },
    async change(what) {
      const response = await fetch(`${origin}/change`, { method: "POST", body: JSON.stringify(what) });
      if (response.status !== 204) violated(`a change answers ${response.status}`);
      await response.body?.cancel();
    },
  };
}

function parameters(ids: readonly string[]): object {
  return { resourceType: "Parameters", parameter: ids.map((id) => ({ name: "id", valueId: id })) };
}
