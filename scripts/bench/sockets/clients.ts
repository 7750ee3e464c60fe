// Holds many sockets open and counts what comes: the other end of the fan-out benchmarks, in a process of its own.
// It reads one JSON order per line and answers each with a line.

import process from "node:process";
import { createInterface } from "node:readline";

/** Sockets to open, each sending its frame if there are any; or, without a URL, a count of all frames that came. */
interface Order {
  readonly url?: string;
  readonly count: number;
  readonly frames: readonly string[];
}

let received = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const { url, count, frames }: Order = JSON.parse(line);
  for (let n = 0; url !== undefined && n < count; n += 100) {
    const opening = Array.from({ length: Math.min(100, count - n) }, (_, k) => open(url, frames[n + k]));
    await Promise.all(opening);
  }
  console.log(received);
}
process.exit(0);

/** Opens a socket, sends its frame if there is one, and waits for the answer to it. */
function open(url: string, frame: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.onerror = () => reject(new Error("Cannot open a socket"));
    socket.onopen = () => frame === undefined ? resolve() : socket.send(frame);
    socket.onmessage = () => {
      received++;
      resolve();
    };
  });
}
