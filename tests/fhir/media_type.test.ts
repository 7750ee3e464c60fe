import { test } from "node:test";
import { assertEquals } from "@std/assert";
import {
  assertRefused,
  call,
  FHIR_VERSIONS,
  idParameters,
  makeHost,
  MIME_VERSION,
  OPERATION,
  post,
  readAnswer,
  websocketSubscription,
} from "../operation/fake_host.ts";

const TARGET = `${OPERATION}?id=abc123`;
const FHIR = "application/fhir+json";
const PLAIN = "application/json";

/** The type that is answered, or "none": 406. */
const ACCEPTS: readonly (readonly [accept: string | undefined, type: string])[] = [
  [undefined, FHIR],
  ["", FHIR],
  [" ", FHIR],
  ["*/*", FHIR],
  ["application/*", FHIR],
  [FHIR, FHIR],
  ["APPLICATION/FHIR+JSON", FHIR],
  [PLAIN, PLAIN],
  ["text/json", "text/json"],
  ["text/*", "text/json"],
  ["application/json+fhir", "application/json+fhir"],
  [`${FHIR}, */*; q=0.1`, FHIR], // Medplum's client
  ["text/html, image/gif, *; q=.2, */*; q=.2", FHIR], // Java's
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", FHIR], // browsers
  [`${PLAIN}, ${FHIR}`, FHIR],
  [`${PLAIN};q=0.9, ${FHIR};q=0.8`, PLAIN],
  [`${PLAIN}, */*;q=0.5`, PLAIN],
  [`${FHIR};q=0, */*`, PLAIN],
  [`${FHIR};q=0, application/*;q=0, */*;q=0.001`, "text/json"],
  [`${FHIR}; charset=utf-8`, FHIR],
  [`${FHIR} ; Q=0.5`, FHIR],
  [`${FHIR}; profile="a, b; q=0"`, FHIR],
  [`application/fhir+xml, ${PLAIN};q=0.1`, PLAIN],
  [`text/html; x=", ${FHIR}, "`, "none"],
  [`${PLAIN};qx`, PLAIN],
  ["application/fhir+xml", "none"],
  ["application/fhir+xml, text/turtle;q=0.5", "none"],
  ["text/html", "none"],
  ["image/*", "none"],
  [`${FHIR};q=0`, "none"],
  ["*/*;q=0", "none"],
  [`${FHIR};q=0.0, ${PLAIN};q=0`, "none"],
  [`${FHIR};q=nonsense`, "none"],
  [`${FHIR};q=2`, "none"],
  [`${FHIR};q=-1`, "none"],
  ["application/fhir+jsonx", "none"],
  ["application", "none"],
  [`x="${FHIR}`, "none"],
  ["json", "none"],
];
for (const [accept, type] of ACCEPTS) {
  test(`handleGetWsBindingToken answers Accept ${accept ?? "absent"} by ${type}`, async () => {
    const headers: HeadersInit = accept === undefined ? {} : { accept };
    const response = await call(makeHost(), TARGET, { headers });
    if (type === "none") {
      await assertRefused(response, 406, "not-supported");
    } else {
      assertEquals(response.headers.get("content-type"), `${type}; charset=utf-8`);
      await readAnswer(response);
    }
  });
}

const FORMATS: readonly (readonly [format: string, type: string])[] = [
  ["json", FHIR],
  ["JSON", FHIR],
  ["application/json", PLAIN],
  ["text/json", "text/json"],
  ["application/fhir%2Bjson", FHIR],
  ["application/fhir+json", FHIR], // which a query decodes to a space
  ["application/json%2Bfhir", "application/json+fhir"],
  ["application/json+fhir", "application/json+fhir"],
  ["application%2Ffhir%2Bjson", FHIR],
  ["application/fhir%2Bjson;%20charset=utf-8", FHIR],
  ["xml", "none"],
  ["text/xml", "none"],
  ["application/xml", "none"],
  ["application/fhir%2Bxml", "none"],
  ["application/fhir+xml", "none"],
  ["ttl", "none"],
  ["application/fhir+turtle", "none"],
  ["text/turtle", "none"],
  ["html", "none"],
  ["text/html", "none"],
  ["*/*", "none"],
  ["jsonx", "none"],
];
for (const [format, type] of FORMATS) {
  test(`handleGetWsBindingToken answers _format=${format} by ${type}, whatever Accept says`, async () => {
    for (const accept of ["application/fhir+xml", FHIR, PLAIN, "*/*"]) {
      for (const method of ["GET", "POST"]) {
        const response = await call(makeHost(), `${TARGET}&_format=${format}`, { method, headers: { accept } });
        if (type === "none") {
          await assertRefused(response, 406, "not-supported");
        } else {
          assertEquals(response.headers.get("content-type"), `${type}; charset=utf-8`);
          await readAnswer(response);
        }
      }
    }
  });
}

test("handleGetWsBindingToken takes an empty _format for none, and the first of several", async () => {
  const xml = { headers: { accept: "application/fhir+xml" } };
  await assertRefused(await call(makeHost(), `${TARGET}&_format=`, xml), 406, "not-supported");
  await readAnswer(await call(makeHost(), `${TARGET}&_format=json&_format=xml`, xml));
});

test("handleGetWsBindingToken sends refusals as application/fhir+json, also where other JSON was asked for", async () => {
  for (const accept of [PLAIN, "text/json"]) {
    await assertRefused(await call(makeHost({ known: [] }), TARGET, { headers: { accept } }), 404, "not-found");
  }
});

/** Types of a body of JSON; `%` stands for the version of the base. */
const CONTENT_TYPES: readonly (readonly [type: string, readable: boolean])[] = [
  [FHIR, true],
  [PLAIN, true],
  ["text/json", true],
  ["application/json+fhir", true],
  ["Application/FHIR+JSON", true],
  [`${FHIR};charset=utf-8`, true],
  [`${FHIR}; charset=UTF-8`, true],
  [`${FHIR}; Charset="utf-8"`, true],
  [`${FHIR}; charset=utf8`, true],
  [`${FHIR}; fhirVersion=%`, true],
  [`${FHIR};FHIRVERSION="%";charset=utf-8`, true],
  [`${PLAIN}; fhirVersion=%`, true],
  [`${FHIR}; charset=iso-8859-1`, false],
  [`${FHIR}; charset=utf-16`, false],
  [`${FHIR}; fhirVersion=%.1`, false],
  [`${FHIR}; fhirVersion=1.0`, false],
  [`${FHIR}; fhirVersion=`, false],
  ["", false],
  ["application/fhir+xml", false],
  ["application/x-www-form-urlencoded", false],
  ["multipart/form-data; boundary=x", false],
  ["text/plain", false],
  ["application/*", false],
  ["*/*", false],
  ["json", false],
  [`${FHIR}, ${PLAIN}`, false],
  [`text/plain; x="${FHIR}"`, false],
];
for (const version of FHIR_VERSIONS) {
  for (const [pattern, readable] of CONTENT_TYPES) {
    const type = pattern.replace("%", MIME_VERSION[version]);

    test(`handleGetWsBindingToken ${readable ? "reads" : "refuses"} a body of type "${type}" in ${version}`, async () => {
      const host = makeHost({ fhirVersion: version });
      for (const target of [OPERATION, "Subscription/abc123/$get-ws-binding-token"]) {
        const response = await call(host, target, post(idParameters("abc123"), { "content-type": type }));
        if (readable) await readAnswer(response);
        else await assertRefused(response, 415, "not-supported");
      }
    });

    // The same words in a Subscription say what its notifications are to be.
    test(`handleGetWsBindingToken ${readable ? "binds" : "refuses"} a payload of type "${type}" in ${version}`, async () => {
      const more = version === "R5" ? { contentType: type } : { channel: { type: "websocket", payload: type } };
      const host = makeHost({ fhirVersion: version, known: [websocketSubscription("abc123", version, more)] });
      const response = await call(host);
      if (readable) {
        await readAnswer(response);
      } else {
        const issue = await assertRefused(response, 422, "business-rule");
        assertEquals(
          issue.details.text,
          `Cannot bind Subscription "abc123": its payload is not JSON of FHIR ${version}`,
        );
      }
    });
  }
}

test("handleGetWsBindingToken refuses a body without Content-Type", async () => {
  const body = new TextEncoder().encode(JSON.stringify(idParameters("abc123")));
  await assertRefused(await call(makeHost(), OPERATION, { method: "POST", body }), 415, "not-supported");
});

for (const version of FHIR_VERSIONS) {
  for (const asked of [...FHIR_VERSIONS.map((one) => MIME_VERSION[one]), "1.0", "3.0", "4.0.1", "", '"']) {
    const good = asked === MIME_VERSION[version];

    test(`handleGetWsBindingToken answers fhirVersion=${asked} by ${good ? 200 : 406} in ${version}`, async () => {
      const type = `${FHIR}; fhirVersion=${asked}`;
      for (
        const [target, headers] of [
          [TARGET, { accept: type }],
          [TARGET, { accept: `${PLAIN}; fhirVersion=${asked}` }],
          [TARGET, { accept: `application/*; fhirVersion=${asked}` }],
          [TARGET, { accept: `text/html, ${type};q=0.2` }],
          [`${TARGET}&_format=${encodeURIComponent(type)}`, {}],
          [`${TARGET}&_format=${encodeURIComponent(`json; fhirVersion=${asked}`)}`, {}],
        ] as const
      ) {
        const response = await call(makeHost({ fhirVersion: version }), target, { headers });
        if (good) await readAnswer(response);
        else await assertRefused(response, 406, "not-supported");
      }
    });
  }

  test(`handleGetWsBindingToken picks its own of several FHIR versions in ${version}`, async () => {
    const all = FHIR_VERSIONS.map((one) => `${FHIR}; fhirVersion=${MIME_VERSION[one]}`);
    for (const accept of [all.join(", "), all.toReversed().join(", "), `${FHIR}; fhirVersion=1.0, */*;q=0.1`]) {
      await readAnswer(await call(makeHost({ fhirVersion: version }), TARGET, { headers: { accept } }));
    }
  });
}

test("handleGetWsBindingToken weighs long headers in little time", async () => {
  const long = ["a,".repeat(20000), '"'.repeat(40001), `${'x/y;a="b\\";'.repeat(3000)}`, `${FHIR};q=0.5,`.repeat(2000)];
  const start = performance.now();
  for (const accept of long) await call(makeHost(), TARGET, { headers: { accept } });
  for (const type of long) await call(makeHost(), OPERATION, post("{}", { "content-type": type }));
  for (const format of long) await call(makeHost(), `${TARGET}&_format=${encodeURIComponent(format)}`);
  assertEquals(performance.now() - start < 2000, true);
});
