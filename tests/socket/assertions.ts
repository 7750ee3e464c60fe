import { assertEquals } from "@std/assert";
import type { FakeSocket } from "./fake_socket.ts";
import type { Harness } from "./harness.ts";

export interface Issue {
  readonly severity: string;
  readonly code: string;
  readonly details: { readonly text: string };
  readonly diagnostics?: string;
}

export function issue(code: string, text: string, id?: string): Issue {
  return { severity: "error", code, details: { text }, ...(id !== undefined && { diagnostics: `Subscription/${id}` }) };
}

/** Sees that the socket was told of these issues in one OperationOutcome, and nothing else. */
export function assertToldOnly(socket: FakeSocket, ...issues: readonly Issue[]): void {
  const frames = socket.take();
  assertEquals(frames.map(({ kind }) => kind), ["outcome"]);
  assertEquals(JSON.parse(frames[0]?.text ?? ""), { resourceType: "OperationOutcome", issue: issues });
}

/** Sees that the socket loses its last binding by expiry in so many milliseconds, not one earlier or later. */
export async function assertLivesFor(h: Harness, socket: FakeSocket, expected: number): Promise<void> {
  await h.advance(expected - 1);
  assertEquals(socket.closing, undefined, "not before");
  await h.advance(1);
  assertEquals(socket.closing, { code: 1008, reason: "expired" });
}

/** Sees whether what happened before on this socket counted: two are forgiven, the third closes. */
export async function assertRefusals(socket: FakeSocket, counted: number): Promise<void> {
  for (let left = 3 - counted; left > 1; left--) {
    await socket.say("nonsense");
    assertEquals(socket.story(), ["not-supported"]);
  }
  await socket.say("nonsense");
  assertEquals(socket.story(), ["not-supported", "close 1008 too many refusals"]);
}
