// What the modules of the page hand to each other. Nothing here is sent to the browser.

/** A FHIR version that the demo has a base for. */
export type Version = "R4" | "R4B" | "R5";

/** A JSON object that nobody has checked. */
export type Json = { readonly [name: string]: unknown };

/** Who is signed in. */
export interface Login {
  readonly user: string;
  readonly name: string;
  readonly token: string;
  /** Milliseconds. */
  readonly expiresAt: number;
}

/** A binding token and what came with it. */
export interface BindingToken {
  readonly text: string;
  readonly url: string;
  readonly ids: readonly string[];
  /** Milliseconds. */
  readonly issuedAt: number;
  /** Milliseconds. */
  readonly expiresAt: number;
  readonly state: "good" | "revoked";
}

/** A call of the operation, as the page shows it. */
export interface TokenCall {
  readonly request: string;
  readonly answer: string;
  /** Header and claims of a JWT. */
  readonly decoded?: string | undefined;
}

/** The socket that was opened last. */
export interface Socket {
  readonly handle: WebSocket;
  readonly url: string;
  readonly phase: "opening" | "open" | "closed";
  /** Milliseconds: since when it is in this phase. */
  readonly since: number;
  readonly code?: number;
}

/** A Subscription of the user on the base that is looked at. */
export interface Followed {
  readonly id: string;
  readonly wants: string;
  readonly content: string;
  /** Milliseconds: when it was seen first. */
  readonly since: number;
  /** Milliseconds. */
  readonly endsAt?: number | undefined;
  readonly bound: boolean;
  /** The number of its latest event. */
  readonly events: number;
  /** Why it is not bound any more. */
  readonly why?: string | undefined;
}

/** What is counted. */
export type Count =
  | "calls"
  | "sent"
  | "received"
  | "handshakes"
  | "events"
  | "heartbeats"
  | "outcomes"
  | "gaps"
  | "reconnects";

/** All that the page knows. */
export interface State {
  readonly login: Login | undefined;
  readonly version: Version;
  readonly subscriptions: readonly Followed[];
  readonly token: BindingToken | undefined;
  readonly call: TokenCall | undefined;
  readonly socket: Socket | undefined;
  /** Whether the client of the library keeps the Subscriptions bound. */
  readonly following: boolean;
  readonly counts: Readonly<Record<Count, number>>;
  /** What went wrong, until something goes well again. */
  readonly problem: string | undefined;
}

/** Holds the state; a change is seen at once and drawn soon. */
export interface Store {
  readonly state: State;
  change(part: Partial<State>): void;
  count(what: Count, by?: number): void;
  /** Replaces what is known of one Subscription. */
  follow(id: string, part: Partial<Followed>): void;
  /** Resolves when it holds, or rejects after some seconds. */
  until(holds: (state: State) => boolean, seconds: number): Promise<void>;
}

/** A line of the timeline. */
export interface Entry {
  readonly kind: "sent" | "received" | "http" | "note";
  readonly tone?: "good" | "event" | "bad" | "quiet" | undefined;
  readonly title: string;
  /** The frame, or the call and its answer. */
  readonly raw?: string | undefined;
}

/** Takes lines, newest last; a line may be written anew when more is known. */
export type Log = (entry: Entry) => (more: Entry) => void;

/** What is asked over HTTP. */
export interface Question {
  readonly method: string;
  readonly url: URL;
  readonly body: string;
}

/** What was asked and answered over HTTP. */
export interface Exchange extends Question {
  readonly status: number;
  readonly text: string;
  /** Empty unless the answer is a JSON object. */
  readonly json: Json;
  readonly milliseconds: number;
}

/** What sockets do. */
export type WireEvent =
  & { readonly socket: WebSocket }
  & (
    | { readonly type: "opening" | "open" }
    | { readonly type: "sent" | "received"; readonly text: string }
    | { readonly type: "closed"; readonly code: number; readonly reason: string }
  );

/** What the user wants to subscribe to. */
export interface Wish {
  readonly version: Version;
  readonly by: "topic" | "criteria";
  readonly type: string;
  readonly criteria: string;
  readonly content: string;
  /** Seconds. */
  readonly heartbeat?: number | undefined;
  readonly maxCount?: number | undefined;
}

/** What a frame says, in one line. */
export interface Reading {
  readonly title: string;
  readonly tone?: Entry["tone"];
  readonly count?: Count;
  readonly statuses: readonly Status[];
  readonly issues: readonly Issue[];
}

/** What a notification says of one Subscription. */
export interface Status {
  readonly type: string;
  readonly id: string;
  readonly head: number;
  readonly events: number;
}

/** An issue of an OperationOutcome. */
export interface Issue {
  readonly code: string;
  readonly text: string;
  /** The Subscription that it names. */
  readonly id: string | undefined;
}

/** The calls of the page. */
export interface Api {
  /** The base of a version: `http://127.0.0.1:8103/fhir/R4`. */
  base(version: Version): string;
  signIn(user: string): Promise<Login>;
  /** Sends a request with the user's access token and shows it; for the client of the library. */
  send(request: Request): Promise<Response>;
  /** A FHIR call; the path is below the base of the version that is looked at. */
  fhir(method: string, path: string, body?: Json): Promise<Json>;
  revoke(token: string): Promise<void>;
}
