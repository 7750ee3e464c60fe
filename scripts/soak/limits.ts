/** The limits that clients run into on purpose, small enough to do so; seconds and bytes, as the binder has them. */
export const LIMITS = { bindDeadline: 3, drainDeadline: 3, sendBuffer: 262_144, refusedBinds: 3, framesPerSecond: 20 };
