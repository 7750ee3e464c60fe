// base64url without padding, RFC 4648 §5, in its canonical form only: one byte string has one spelling.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** By character code; -1 for all others. */
const VALUES = new Int8Array(128).map((_, code) => ALPHABET.indexOf(String.fromCharCode(code)));
/** Bits of the last group that hold nothing, by the characters of it that there are. */
const UNUSED = [0, 0, 0xffff, 0xff];

/** ES2026, where the runtime has it; not yet in the DOM types of every supported compiler. */
interface NativeBase64 {
  toBase64?(options: { alphabet: "base64url"; omitPadding: true }): string;
}

/** Bytes as text. */
export function encodeBase64url(bytes: Uint8Array): string {
  const native: NativeBase64 = bytes;
  return native.toBase64?.({ alphabet: "base64url", omitPadding: true }) ?? encodeByTable(bytes);
}

/** ASCII text: `btoa` is native everywhere and needs no bytes. */
export function encodeAscii(text: string): string {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The bytes of a text, or `undefined` when it is not canonical base64url. By table: of a token after a pause, `atob`
 * takes several times as long.
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(Math.floor(text.length * 3 / 4));
  let group = 0;
  let all = 0;
  for (let n = 0, at = 0; n < text.length; n += 4, at += 3) {
    group = valueAt(text, n) << 18 | valueAt(text, n + 1) << 12 | valueAt(text, n + 2) << 6 | valueAt(text, n + 3);
    all |= group;
    bytes[at] = group >> 16;
    bytes[at + 1] = group >> 8; // what lies beyond the end goes nowhere
    bytes[at + 2] = group;
  }
  const last = text.length % 4;
  return all < 0 || last === 1 || (group & (UNUSED[last] ?? 0)) !== 0 ? undefined : bytes;
}

/** Negative for what is none, 0 beyond the end. */
function valueAt(text: string, n: number): number {
  return n < text.length ? VALUES[text.charCodeAt(n)] ?? -1 : 0;
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
