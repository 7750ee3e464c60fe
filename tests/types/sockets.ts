// The sockets of Deno and of npm's `ws` are what the library needs. Checked, never run.

import type { BindingSocket } from "@fhir-ws/binding";
import type { WebSocket as WsSocket } from "ws-types";
import type { Accepts } from "./accepts.ts";

export type Sockets = [
  Accepts<BindingSocket, WebSocket>,
  Accepts<BindingSocket, WsSocket>,
];

export type Refused = [
  // @ts-expect-error: an EventSource cannot send
  Accepts<BindingSocket, EventSource>,
  // @ts-expect-error: an optional method must fit, too
  Accepts<BindingSocket, WebSocket & { terminate(how: string): void }>,
];
