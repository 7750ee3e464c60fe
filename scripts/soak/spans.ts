// What a clients' process has done to the rights of its own callers, and when: only that explains why a binding ends.

/** A span in milliseconds since the epoch, by the one clock of the machine; open until the server has answered. */
export interface Span {
  readonly begun: number;
  done: number;
}

/** Spans by what they concern: a token, a caller, a Subscription. */
export interface Spans {
  /** Something begins now; what is returned ends it. */
  begin(subject: string): () => void;
  of(subject: string): readonly Span[];
}

export function createSpans(): Spans {
  const spans = new Map<string, Span[]>();
  return {
    begin(subject) {
      const span: Span = { begun: Date.now(), done: Infinity };
      spans.set(subject, [...spans.get(subject) ?? [], span]);
      return () => {
        span.done = Date.now();
      };
    },
    of: (subject) => spans.get(subject) ?? [],
  };
}

/** Whether a Subscription was off at a time (milliseconds since the epoch), or after it. */
export function wasOff(id: string, time: number, spans: Spans): boolean {
  return spans.of(`off ${id}`).some(({ done }) => done >= time);
}
