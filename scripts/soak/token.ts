// A binding token, as its holder knows it.

import type { Span, Spans } from "./spans.ts";

/** What the operation has answered. */
export interface Token {
  readonly text: string;
  readonly jti: string;
  readonly caller: string;
  readonly ids: readonly string[];
  /** Milliseconds since the epoch, as are the others. */
  readonly expiresAt: number;
  readonly askedAt: number;
  readonly answeredAt: number;
}

function revocationsOf({ jti, caller }: Token, id: string, spans: Spans): readonly Span[] {
  return [...spans.of(`token ${jti}`), ...spans.of(`caller ${caller}`), ...spans.of(`revoked ${id}`)];
}

/** Whether a revocation may have reached this token's share in a Subscription. */
export function mayBeRevoked(token: Token, id: string, spans: Spans): boolean {
  return revocationsOf(token, id, spans).some(({ done }) => done >= token.askedAt);
}

/** When its share in a Subscription is over: it expires, or a revocation that it cannot have outlived has been done. */
export function endOf(token: Token, id: string, spans: Spans): number {
  const deadly = revocationsOf(token, id, spans).filter(({ begun }) => begun > token.answeredAt);
  return Math.min(token.expiresAt, ...deadly.map(({ done }) => done));
}
