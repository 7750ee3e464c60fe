// What stores check of their options.

/**
 * Sees that an event log is told to keep something.
 *
 * @throws {RangeError} when it is not.
 */
export function checkLimits(maxEvents: number, maxAge: number): void {
  check("maxEvents", maxEvents, Number.isInteger(maxEvents) && maxEvents > 0);
  check("maxAge", maxAge, maxAge > 0);
}

/**
 * Refuses an option that is not right.
 *
 * @throws {RangeError} with its name and value.
 */
export function check(name: string, value: number, isRight: boolean): void {
  if (!isRight) throw new RangeError(`Cannot use ${name} "${value}": it is out of range`);
}
