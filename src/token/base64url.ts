// base64url without padding, RFC 4648 §5, in its canonical form only: one byte string has one spelling.

import { MAX_TOKEN_LENGTH } from "./grant.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CODES = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
/** By character code; -1 for all others. */
const VALUES = new Int8Array(256).map((_, code) => ALPHABET.indexOf(String.fromCharCode(code)));
/** Bits of the last group that hold nothing, by the characters of it that there are. */
const UNUSED = [0, 0, 0xffff, 0xff];
/** What may be written behind the end. */
const MARGIN = 3;

/**
 * Where tokens are put together and taken apart, from beginning to end in one go: memory that is already at hand costs
 * less than fresh one. What WebCrypto is given of it has been copied when the call returns.
 */
export const SPACE = new Uint8Array(MAX_TOKEN_LENGTH + MARGIN);

const decoder = new TextDecoder();

/** ES2026, where the runtime has it; not yet in the DOM types of every supported compiler. */
interface NativeBase64 {
  toBase64?(options: { alphabet: "base64url"; omitPadding: true }): string;
}

/** Bytes as text. */
export function encodeBase64url(bytes: Uint8Array): string {
  const native: Uint8Array & NativeBase64 = bytes;
  return native.toBase64?.({ alphabet: "base64url", omitPadding: true }) ?? encodeByTable(bytes);
}

/**
 * Text, a byte for each character, as base64url behind a beginning, in bytes that are good until the next call of
 * whatever uses `SPACE`.
 */
export function encodeBehind(head: Uint8Array, text: string): Uint8Array<ArrayBuffer> {
  const end = head.length + Math.ceil(text.length * 4 / 3);
  const space = end + MARGIN <= SPACE.length ? SPACE : new Uint8Array(end + MARGIN);
  space.set(head);
  for (let n = 0, at = head.length; at < end; n += 3, at += 4) {
    putGroup(space, at, text.charCodeAt(n) << 16 | codeAt(text, n + 1) << 8 | codeAt(text, n + 2));
  }
  return space.subarray(0, end);
}

/** 0 beyond the end, where an engine takes long to find NaN. */
function codeAt(text: string, n: number): number {
  return n < text.length ? text.charCodeAt(n) : 0;
}

/** ASCII in bytes as text. */
export function asciiOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** The bytes of a text, or `undefined` when it is not canonical base64url. */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(text.length + MARGIN);
  const end = putAscii(text, bytes, 0) < 0 ? -1 : decodeWithin(bytes, 0, text.length);
  return end < 0 ? undefined : bytes.slice(0, end);
}

/** Puts text in its place, a byte for each character. Tells where it ends; a negative number when it is not ASCII. */
export function putAscii(text: string, bytes: Uint8Array, at: number): number {
  let all = 0;
  for (let n = 0; n < text.length; n++) {
    const code = text.charCodeAt(n);
    all |= code;
    bytes[at + n] = code;
  }
  return all < 128 ? at + text.length : -1;
}

/**
 * Puts what base64url stands for in its place, and something into three bytes behind it. Tells where it ends; a negative
 * number when it is not canonical. By table: of a token after a pause, `atob` takes several times as long.
 */
export function decodeWithin(bytes: Uint8Array, from: number, to: number): number {
  bytes.fill(CODES[0] ?? 0, to, to + MARGIN); // as many zero bits as the last group lacks
  let group = 0;
  let all = 0;
  for (let n = from, at = from; n < to; n += 4, at += 3) {
    group = valueAt(bytes, n) << 18 | valueAt(bytes, n + 1) << 12 | valueAt(bytes, n + 2) << 6 | valueAt(bytes, n + 3);
    all |= group;
    bytes[at] = group >> 16;
    bytes[at + 1] = group >> 8;
    bytes[at + 2] = group;
  }
  const last = (to - from) % 4;
  if (all < 0 || last === 1 || (group & (UNUSED[last] ?? 0)) !== 0) return -1;
  return from + Math.floor((to - from) * 3 / 4);
}

/** Negative for what is none. */
function valueAt(bytes: Uint8Array, n: number): number {
  return VALUES[bytes[n] ?? 0] ?? -1;
}

function encodeByTable(bytes: Uint8Array): string {
  const end = Math.ceil(bytes.length * 4 / 3);
  const space = end + MARGIN <= SPACE.length ? SPACE : new Uint8Array(end + MARGIN);
  for (let n = 0, at = 0; at < end; n += 3, at += 4) {
    putGroup(space, at, (bytes[n] ?? 0) << 16 | (bytes[n + 1] ?? 0) << 8 | (bytes[n + 2] ?? 0));
  }
  return asciiOf(space.subarray(0, end));
}

/** Puts 24 bits as four characters. */
function putGroup(bytes: Uint8Array, at: number, group: number): void {
  bytes[at] = CODES[group >> 18] ?? 0;
  bytes[at + 1] = CODES[group >> 12 & 63] ?? 0;
  bytes[at + 2] = CODES[group >> 6 & 63] ?? 0;
  bytes[at + 3] = CODES[group & 63] ?? 0;
}
