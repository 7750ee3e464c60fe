import { assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { inHarness } from "./harness.ts";

const UNKNOWN = ["unknown"];
const MALFORMED = ["structure"];
const NOT_SUPPORTED = ["not-supported"];

interface Vector {
  readonly case: string;
  readonly accept: boolean | "optional";
  readonly frame: string;
}

function readVectors(): Vector[] {
  const text = readFileSync(new URL("../fixtures/ws/client-frames.jsonl", import.meta.url), "utf8");
  return text.trim().split("\n").map((line): Vector => JSON.parse(line));
}

describe("frames of the reference", () => {
  for (const { case: name, accept, frame } of readVectors()) {
    const does = accept === true ? "is understood" : "is refused";
    test(
      `${name} ${does}`,
      inHarness(async ({ open }) => {
        const socket = await open();
        await socket.say(frame);
        const understood = frame.includes("ping") ? ["pong"] : frame.includes("unbind") ? [] : UNKNOWN;
        const refused = frame.startsWith("bind-with-token") ? MALFORMED : NOT_SUPPORTED;
        assertEquals(socket.story(), accept === true ? understood : refused);
      }),
    );
  }

  test(
    "each form of a bind binds",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      const token = await h.mint(["s1"]);
      const forms = [
        `bind-with-token ${token}`,
        `bind-with-token: ${token}`,
        `bind-with-token\t${token}`,
        `bind-with-token \t ${token}`,
        ` \r\n bind-with-token:  ${token}\n`,
        `\uFEFFbind-with-token ${token}`,
        JSON.stringify({ type: "bind-with-token", payload: { token } }),
        ` {"payload":{"x":1,"token":"${token}"},"x":[],"type":"bind-with-token"} `,
        `{"type":"ping","type":"bind-with-token","payload":{"token":"${token}"}}`,
        `{"\\u0074ype":"bind-with-token","payload":{"token":"${token}","eventsSinceNumber":{}}}`,
      ];
      for (const form of forms) {
        await socket.say(form);
        assertEquals(socket.story(), ["handshake s1 0"], form);
      }
    }),
  );
});

/** Broken in every way; each is the first and only frame of its socket. */
const BROKEN: readonly (readonly [frame: string, answer: readonly string[]])[] = [
  ["", MALFORMED],
  [" \t\r\n", MALFORMED],
  ["bind-with-token", MALFORMED],
  ["bind-with-token ", MALFORMED],
  ["bind-with-token:", MALFORMED],
  ["bind-with-token: ", MALFORMED],
  ["bind-with-token :", MALFORMED],
  ["bind-with-token : abc", MALFORMED],
  ["bind-with-token abc def", MALFORMED],
  ["bind-with-token: abc, def", MALFORMED],
  ["bind-with-token =abc", MALFORMED],
  ["bind-with-token a=b", MALFORMED],
  ["bind-with-token =", MALFORMED],
  ['bind-with-token "abc"', MALFORMED],
  ["bind-with-token <abc>", MALFORMED],
  ["bind-with-token {}", MALFORMED],
  ["bind-with-token a\u0000b", MALFORMED],
  ["bind-with-token t\u00f6ken", MALFORMED],
  ["bind-with-token \ud83d\ude00", MALFORMED],
  ["bind-with-token \ud800", MALFORMED],
  ["bind-with-token a\u200bb", MALFORMED],
  ["bind-with-token a\nbind-with-token b", MALFORMED],
  ["bind-with-token:abc", NOT_SUPPORTED],
  ["bind-with-token::\tabc", NOT_SUPPORTED],
  ["Bind-With-Token abc", NOT_SUPPORTED],
  ["bind-with-token\u00a0abc", NOT_SUPPORTED],
  ["bind-with-token\nabc", NOT_SUPPORTED],
  ["bind-with-tokens abc", NOT_SUPPORTED],
  ["bind with token abc", NOT_SUPPORTED],
  ["unbind-from-token abc", NOT_SUPPORTED],
  ["bind s1", NOT_SUPPORTED],
  ["ping", NOT_SUPPORTED],
  ["null", NOT_SUPPORTED],
  ["42", NOT_SUPPORTED],
  ['"bind-with-token"', NOT_SUPPORTED],
  ['[{"type":"ping"}]', NOT_SUPPORTED],
  ["GET / HTTP/1.1\r\n\r\n", NOT_SUPPORTED],
  ["\u0000", NOT_SUPPORTED],
  ["\ud800", NOT_SUPPORTED],
  ["constructor x", NOT_SUPPORTED],
  ["{", MALFORMED],
  ["{}", MALFORMED],
  ["{]", MALFORMED],
  ["{'type':'ping'}", MALFORMED],
  ['{"type":"ping"', MALFORMED],
  ['{"type":"ping"}}', MALFORMED],
  ['{"type":"ping"}{"type":"ping"}', MALFORMED],
  ['{"type":"ping",}', MALFORMED],
  ['{"type":"ping"} // hello', MALFORMED],
  ['{"type":"pi\nng"}', MALFORMED],
  ['{"Type":"ping"}', MALFORMED],
  ['{"type":null}', MALFORMED],
  ['{"type":1}', MALFORMED],
  ['{"type":["ping"]}', MALFORMED],
  ['{"type":{"type":"ping"}}', MALFORMED],
  ['{"__proto__":{"type":"ping"}}', MALFORMED],
  ['{"resourceType":"Bundle"}', MALFORMED],
  ['{"type":""}', NOT_SUPPORTED],
  ['{"type":"Ping"}', NOT_SUPPORTED],
  ['{"type":" ping "}', NOT_SUPPORTED],
  ['{"type":"pong"}', NOT_SUPPORTED],
  ['{"type":"__proto__"}', NOT_SUPPORTED],
  ['{"type":"constructor"}', NOT_SUPPORTED],
  ['{"type":"toString"}', NOT_SUPPORTED],
  ['{"type":"bind","payload":{"id":"s1"}}', NOT_SUPPORTED],
  ['{"type":"bind-with-token"}', MALFORMED],
  ['{"type":"bind-with-token","payload":null}', MALFORMED],
  ['{"type":"bind-with-token","payload":"abc"}', MALFORMED],
  ['{"type":"bind-with-token","payload":[]}', MALFORMED],
  ['{"type":"bind-with-token","payload":{}}', MALFORMED],
  ['{"type":"bind-with-token","payload":{"token":null}}', MALFORMED],
  ['{"type":"bind-with-token","payload":{"token":7}}', MALFORMED],
  ['{"type":"bind-with-token","payload":{"token":""}}', MALFORMED],
  ['{"type":"bind-with-token","payload":{"token":" abc"}}', MALFORMED],
  ['{"type":"bind-with-token","payload":{"token":"abc\\n"}}', MALFORMED],
  ['{"type":"bind-with-token","payload":{"token":["abc"]}}', MALFORMED],
  ['{"type":"bind-with-token","payload":{"token":{"token":"abc"}}}', MALFORMED],
  ['{"type":"bind-with-token","payload":{"Token":"abc"}}', MALFORMED],
  ['{"type":"bind-with-token","payload":{"__proto__":{"token":"abc"}}}', MALFORMED],
  ['{"type":"unbind-from-token"}', MALFORMED],
  ['{"type":"unbind-from-token","payload":{"token":[]}}', MALFORMED],
  ...["[]", "null", '"6"', "6", "true", '{"s1":null}', '{"s1":-1}', '{"s1":"-1"}', '{"s1":1.5}', '{"s1":"1.5"}']
    .map((since) => [`{"type":"bind-with-token","payload":{"token":"abc","eventsSinceNumber":${since}}}`, MALFORMED]),
  ...['{"s1":""}', '{"s1":" 6"}', '{"s1":"6e1"}', '{"s1":1e300}', '{"s1":"99999999999999999999"}', '{"a_b":"6"}']
    .map((since) => [`{"type":"bind-with-token","payload":{"token":"abc","eventsSinceNumber":${since}}}`, MALFORMED]),
  ['{"type":"bind-with-token","payload":{"token":"abc","eventsSinceNumber":{"":"6"}}}', MALFORMED],
].map(([frame, answer]) => [frame, answer] as [string, readonly string[]]); // spreads lose the tuple

describe("frames that are broken", () => {
  for (const [frame, answer] of BROKEN) {
    test(
      `${JSON.stringify(frame)} is refused and the socket stays`,
      inHarness(async ({ open, toldOf }) => {
        const socket = await open();
        await socket.say(frame);
        assertEquals(socket.story(), answer);
        const code = answer === MALFORMED ? "frame-malformed" : "frame-not-supported";
        assertEquals(toldOf("bind-refused"), [{ type: "bind-refused", code }]);
        await socket.say({ type: "ping" });
        assertEquals(socket.story(), ["pong"]);
      }),
    );
  }

  test(
    "a frame is never quoted in its refusal",
    inHarness(async ({ open, told }) => {
      for (const frame of ["bind-with-token sekret {", '{"type":"bind-with-token","sekret', "sekret 1"]) {
        const socket = await open();
        await socket.say(frame);
        const [answer] = socket.take();
        assertEquals(answer?.text.includes("sekret"), false);
      }
      assertEquals(JSON.stringify(told).includes("sekret"), false);
    }),
  );

  test(
    "deep nesting is refused like any other nonsense",
    inHarness(async ({ open }) => {
      const depth = 15_000;
      for (
        const [frame, answer] of [
          [`{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`, MALFORMED],
          [`${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`, MALFORMED],
          [`{"type":"bind-with-token","payload":${"[".repeat(depth)}${"]".repeat(depth)}}`, MALFORMED],
          ["[".repeat(depth), NOT_SUPPORTED],
          ["{".repeat(depth), MALFORMED],
        ] as const
      ) {
        const socket = await open();
        await socket.say(frame);
        assertEquals(socket.story(), answer);
      }
    }),
  );
});

describe("frames that are not text, or too long", () => {
  const binaries = [
    new ArrayBuffer(0),
    new TextEncoder().encode('{"type":"ping"}').buffer,
    new TextEncoder().encode('{"type":"ping"}'),
    new DataView(new ArrayBuffer(3)),
    new Uint8Array([0xff, 0xfe, 0xc0]),
  ];
  for (const binary of binaries) {
    test(
      `binary (${binary.constructor.name}, ${binary.byteLength}) closes with 1003`,
      inHarness(async ({ open, toldOf }) => {
        const socket = await open();
        await socket.say(binary);
        assertEquals(socket.story(), ["close 1003"]);
        assertEquals(toldOf("dropped"), [{ type: "dropped", code: 1003 }]);
      }),
    );
  }

  const SIZE = 32_768;
  const fits: readonly (readonly [string, string])[] = [
    ["ASCII", "x".repeat(SIZE)],
    ["two bytes", "é".repeat(SIZE / 2)],
    ["three bytes", "€".repeat(SIZE / 3) + "xx"],
    ["four bytes", "\u{1f600}".repeat(SIZE / 4)],
    // A lone surrogate is sent as U+FFFD, of three bytes.
    ["lone surrogates", "\ud800".repeat(SIZE / 3) + "xx"],
  ];
  for (const [name, text] of fits) {
    test(
      `limits.frameSize counts bytes of ${name}`,
      inHarness(async ({ open }) => {
        const good = await open();
        await good.say(text);
        assertEquals(good.story(), NOT_SUPPORTED);
        const bad = await open();
        await bad.say(text + "x");
        assertEquals(bad.story(), ["close 1009"]);
      }),
    );
  }

  test(
    "white space around a frame counts",
    inHarness(async ({ open, toldOf }) => {
      const socket = await open();
      await socket.say('{"type":"ping"}'.padEnd(SIZE));
      await socket.say('{"type":"ping"}'.padEnd(SIZE + 1));
      assertEquals(socket.story(), ["pong", "close 1009"]);
      assertEquals(toldOf("dropped"), [{ type: "dropped", code: 1009 }]);
    }),
  );

  test(
    "what follows the frame that closed the socket is not looked at",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open({ answersClose: false });
      await socket.say(new Uint8Array(1), `bind-with-token ${await h.mint(["s1"])}`, { type: "ping" }, "x", "y", "z");
      assertEquals(socket.story(), ["close 1003"]);
      assertEquals(h.host.count("verify"), 0);
    }),
  );
});

describe("many frames at once", () => {
  test(
    "are answered in their order, a slow bind before a ping",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      const verify = h.host.hold("verify");
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`, { type: "ping" }, "x", { type: "ping" });
      assertEquals(socket.story(), []);
      verify.release();
      await h.settle();
      assertEquals(socket.story(), ["handshake s1 0", "pong", "not-supported", "pong"]);
    }),
  );

  test(
    "bind one after the other",
    inHarness(async (h) => {
      for (const id of ["s1", "s2", "s3"]) await h.put(id);
      const frames = [];
      for (const id of ["s3", "s1", "s2"]) frames.push(`bind-with-token ${await h.mint([id])}`);
      const socket = await h.open();
      const verify = h.host.hold("verify");
      await socket.say(...frames);
      assertEquals(verify.waiting, 1);
      verify.release();
      await h.settle();
      assertEquals(socket.story(), ["handshake s3 0", "handshake s1 0", "handshake s2 0"]);
    }),
  );

  test(
    "of another socket are not held up",
    inHarness(async (h) => {
      await h.put("s1");
      const slow = await h.open();
      const other = await h.open();
      const verify = h.host.hold("verify");
      await slow.say(`bind-with-token ${await h.mint(["s1"])}`, { type: "ping" });
      await other.say({ type: "ping" });
      assertEquals([slow.story(), other.story()], [[], ["pong"]]);
      verify.release();
    }),
  );

  test(
    "end with the socket",
    inHarness(async (h) => {
      await h.put("s1");
      const socket = await h.open();
      const verify = h.host.hold("verify");
      await socket.say(`bind-with-token ${await h.mint(["s1"])}`, `bind-with-token ${await h.mint(["s1"])}`);
      socket.disconnect();
      verify.release();
      await h.settle();
      assertEquals(h.host.count("verify"), 1);
      assertEquals(socket.story(), []);
      assertEquals(h.toldOf("bound"), []);
    }),
  );

  test(
    "as an old client keeps pinging, the pongs keep coming",
    inHarness(async ({ open, advance, put, mint, bind }) => {
      await put("s1");
      const socket = await open();
      await bind(socket, await mint(["s1"]), "json");
      for (let n = 0; n < 60; n++) {
        await socket.say({ type: "ping" });
        await advance(5000);
      }
      assertEquals(socket.story(), Array(60).fill("pong"));
    }),
  );
});
