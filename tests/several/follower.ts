// A client that follows one Subscription and keeps count.

import { assertEquals } from "@std/assert";
import { produced } from "../tools/produced.ts";

/** What a frame holds, as far as tests look at it. */
interface Frame {
  readonly resourceType?: string;
  readonly issue?: readonly { readonly code: string }[];
  readonly entry?: readonly { readonly resource?: Status }[];
}

interface Status {
  readonly type?: string;
  readonly notificationEvent?: readonly {
    readonly eventNumber: string;
    readonly focus?: { readonly reference: string };
  }[];
}

const PATIENCE = 50_000;

/** Binds, binds again elsewhere, and remembers the focus of every event by its number. */
export class Follower {
  readonly subscription: string;
  /** Of event n at n - 1. */
  readonly focuses: string[] = [];
  /** Events that came again after a bind that asked for them. */
  repeats = 0;
  /** What OperationOutcomes said. */
  readonly issues: string[] = [];
  handshakes = 0;
  isClosed = false;
  #socket: WebSocket | undefined;
  readonly #waiting = new Set<() => void>();
  #failure: Error | undefined;

  constructor(subscription: string) {
    this.subscription = subscription;
  }

  /** Connects and binds; resolves with the first answer, a handshake or an issue. */
  async bind(port: number, token: string): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    const answers = this.handshakes + this.issues.length;
    this.isClosed = false;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(String(data));
    socket.onclose = () => {
      this.isClosed = true;
      this.#look();
    };
    socket.onerror = () => {}; // a close follows
    await new Promise<void>((resolve) => {
      socket.onopen = () => resolve();
    });
    const since = { [this.subscription]: String(this.focuses.length + 1) };
    socket.send(JSON.stringify({ type: "bind-with-token", payload: { token, eventsSinceNumber: since } }));
    await this.until(() => this.handshakes + this.issues.length > answers);
  }

  close(): void {
    this.#socket?.close();
  }

  /** Resolves once it is true, looking whenever something came. */
  until(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not in time: ${this}`)), PATIENCE);
      const look = (): void => {
        if (this.#failure === undefined && !isTrue()) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        if (this.#failure === undefined) resolve();
        else reject(this.#failure);
      };
      this.#waiting.add(look);
      look();
    });
  }

  toString(): string {
    return `${this.subscription} has ${this.focuses.length} events, ${this.handshakes} handshakes, ${this.issues}`;
  }

  #receive(text: string): void {
    produced(text);
    const { resourceType, issue, entry }: Frame = JSON.parse(text);
    if (resourceType === "OperationOutcome") this.issues.push(...issue?.map(({ code }) => code) ?? []);
    const status = entry?.[0]?.resource;
    if (status?.type === "handshake") this.handshakes++;
    for (const { eventNumber, focus } of status?.type === "event-notification" ? status.notificationEvent ?? [] : []) {
      this.#note(Number(eventNumber), focus?.reference ?? "");
    }
    this.#look();
  }

  /** The next one, or one that it has had. */
  #note(number: number, focus: string): void {
    if (number === this.focuses.length + 1) {
      this.focuses.push(focus);
      return;
    }
    this.repeats++;
    try {
      assertEquals([number, this.focuses[number - 1]], [number, focus], `after event ${this.focuses.length}`);
    } catch (error) {
      this.#failure ??= error as Error; // that is what assertions throw
    }
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}
