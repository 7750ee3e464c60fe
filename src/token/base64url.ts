// base64url without padding, RFC 4648 §5, in its canonical form only: one byte string has one spelling.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES = new Uint8Array(128).map((_, code) => Math.max(0, ALPHABET.indexOf(String.fromCharCode(code))));
const CANONICAL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;

/** ES2026, where the runtime has it; not yet in the DOM types of every supported compiler. */
interface NativeBase64 {
  toBase64?(options: { alphabet: "base64url"; omitPadding: true }): string;
}

/** Bytes as text. */
export function encodeBase64url(bytes: Uint8Array): string {
  const native: NativeBase64 = bytes;
  return native.toBase64?.({ alphabet: "base64url", omitPadding: true }) ?? encodeByTable(bytes);
}

/** ASCII text as base64url: `btoa` is native everywhere and needs no bytes. */
export function encodeAscii(text: string): string {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** What `encodeAscii` had encoded, and more: `atob` does not insist on the canonical form. It throws on the rest. */
export function decodeAscii(text: string): string {
  return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
}

/** The bytes of a text, or `undefined` when it is not canonical base64url. */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!CANONICAL.test(text)) return undefined;
  const bytes = new Uint8Array(Math.floor(text.length * 3 / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let n = 0; n < text.length; n++) {
    bits = (bits << 6 | (VALUES[text.charCodeAt(n)] ?? 0)) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = bits >> held;
    }
  }
  return bytes;
}

function encodeByTable(bytes: Uint8Array): string {
  let text = "";
  for (let n = 0; n < bytes.length; n += 3) {
    const group = (bytes[n] ?? 0) << 16 | (bytes[n + 1] ?? 0) << 8 | (bytes[n + 2] ?? 0);
    const characters = Math.min(4, Math.ceil((bytes.length - n) * 4 / 3));
    for (let k = 0; k < characters; k++) text += ALPHABET[group >> (18 - 6 * k) & 63];
  }
  return text;
}
