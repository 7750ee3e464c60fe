import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { type BindingSocket, createJwtSigner, createOpaqueSigner, createSocketBinder } from "@fhir-ws/binding";
import { createMemoryBus, createMemoryEventLog, createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
import { makeSubscription } from "./harness.ts";

const BASE = "https://example.org/fhir/R5";
const REQUEST = new Request("https://example.org/ws", { headers: { upgrade: "websocket" } });
const TOKENS = 1000;
const SOCKETS = 20;

const store = createMemoryTokenStore();
const SIGNERS = {
  jwt: await createJwtSigner({ sign: { kid: "k", key: new Uint8Array(32).fill(7) }, store, singleUse: true }),
  opaque: createOpaqueSigner({ store, singleUse: true }),
};

describe("twenty sockets that race for one single-use token", () => {
  for (const [name, tokens] of Object.entries(SIGNERS)) {
    it(`leave exactly one bound, a thousand times of a thousand (${name})`, async () => {
      const binder = createSocketBinder({
        base: BASE,
        fhirVersion: "R5",
        websocketUrl: "wss://example.org/ws",
        tokens,
        subscriptions: { read: (id) => makeSubscription(id, "R5") },
        events: createMemoryEventLog(),
        bus: createMemoryBus(),
        limits: { unboundSockets: 10_000 },
      });
      for (let n = 0; n < TOKENS; n++) {
        const issuedAt = Math.floor(Date.now() / 1000);
        const token = await tokens.sign({
          id: `${name}-${n}`,
          audience: BASE,
          caller: { id: "alice" },
          subscriptions: ["s1"],
          issuedAt,
          expiresAt: issuedAt + 3600,
        });
        const answers = await Promise.all(Array.from({ length: SOCKETS }, () => race(token)));
        assertEquals(answers.filter((answer) => answer.includes('"handshake"')).length, 1);
        assertEquals(answers.filter((answer) => answer.includes('"code":"unknown"')).length, SOCKETS - 1);
      }
      assertEquals(binder.stats(), { sockets: 0, bindings: 0, subscriptions: 0 });
      await binder.close();

      /** What the first frame to come says. */
      async function race(token: string): Promise<string> {
        const admission = await binder.admit(REQUEST);
        if (admission.refused) return `refused with ${admission.refused.status}`;
        const answer = await new Promise<{ text: string; leave: () => void }>((resolve) => {
          const socket: BindingSocket = {
            send: (text) => resolve({ text, leave: () => session.closed() }),
            close: () => {},
          };
          const session = admission.open(socket);
          session.receive(`bind-with-token ${token}`);
        });
        answer.leave();
        return answer.text;
      }
    });
  }
});
