// Sockets that tell what goes over them.

/** @import { WireEvent } from "./types.ts" */

/**
 * The browser's `WebSocket`, but everything that it does is told. The client of the library takes it as an option.
 *
 * @param {(event: WireEvent) => void} tell
 * @returns {new (url: string) => WebSocket}
 */
export function recordSockets(tell) {
  return class extends WebSocket {
    /** @param {string} url */
    constructor(url) {
      super(url);
      tell({ type: "opening", socket: this });
      this.addEventListener("open", () => tell({ type: "open", socket: this }));
      this.addEventListener("message", ({ data }) => tell({ type: "received", socket: this, text: String(data) }));
      this.addEventListener("close", ({ code, reason }) => tell({ type: "closed", socket: this, code, reason }));
    }

    /**
     * @override
     * @param {string} text
     */
    send(text) {
      const isOpen = this.readyState === WebSocket.OPEN;
      super.send(text);
      if (isOpen) tell({ type: "sent", socket: this, text });
    }
  };
}
