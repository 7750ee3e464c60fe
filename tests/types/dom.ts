// A browser's socket is what the library needs. Checked with the DOM's types alone, never run.

import type { BindingSocket } from "../../mod.ts";
import type { Accepts } from "./accepts.ts";

export type Sockets = [Accepts<BindingSocket, WebSocket>];

export type Refused = [
  // @ts-expect-error: a message port sends what is no text
  Accepts<BindingSocket, MessagePort>,
];
