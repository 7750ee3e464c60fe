// Ending what a client itself has bound.

import { endBinding, settleExpiry } from "./binding.ts";
import type { Session } from "./session.ts";
import type { BinderState } from "./state.ts";

/** Copied, not sliced: engines keep the whole of a text alive for a longer slice of it. */
const TAIL = 12;

/** What is kept of a token: 72 bits of its signature or secret. */
export function tailOf(token: string): string {
  return token.slice(-TAIL);
}

/**
 * Ends the bindings whose newest token this is; where it is an older one it is forgotten. The token is not verified:
 * it may have expired or been used since, and all it can name is what this socket has bound.
 */
export function unbind(state: BinderState, session: Session, token: string): void {
  const tail = tailOf(token);
  for (const binding of [...session.bindings.values()]) {
    if (binding.tokens.at(-1)?.tail === tail) endBinding(state, binding, "unbound");
    else if (binding.tokens.some((one) => one.tail === tail)) {
      binding.tokens = binding.tokens.filter((one) => one.tail !== tail);
      settleExpiry(state, binding);
    }
  }
}
