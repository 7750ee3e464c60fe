// A short soak over a log that loses an event now and then: it counts it and never hands it out. It prints the violations
// as JSON.

import { soak } from "../../../scripts/soak/soak.ts";

const LOST = "Patient/lost";
const ONE_IN = 50;
let appended = 0;

const { violations } = await soak({ minutes: 0.05, sockets: 12, seed: 1 }, (log) => ({
  ...log,
  async append(keys, event) {
    if (++appended % ONE_IN === 0) await log.append(keys, { ...event, focus: LOST });
    return await log.append(keys, event);
  },
  async read(key, after, limit) {
    const page = await log.read(key, after, limit);
    return { ...page, events: page.events.filter(({ focus }) => focus !== LOST) };
  },
}));
console.log(JSON.stringify(violations));
