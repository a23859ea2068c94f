/**
 * What the page needs of a line and of the calls on it: those of web/call, of which fakes of tests have less.
 * No code.
 */

/** @typedef {import('../call/line-engine.js').LineEngine} LineEngine */
/** @typedef {import('../call/line-engine.js').LineCall} LineCall */
/** @typedef {Pick<LineEngine, keyof LineEngine>} AnyLine */
/** @typedef {Pick<LineCall, keyof LineCall>} AnyLineCall */
/** @typedef {import('../call/line-engine.js').LineMessage} LineMessage */
/** @typedef {import('../call/line-engine.js').CallEvent} CallEvent */
/** @typedef {import('../call/line-engine.js').PhaseEvent} PhaseEvent */
/** @typedef {PhaseEvent['phase']} Phase */
/** @typedef {Extract<PhaseEvent, {phase: 'ended'}>['reason']} Reason */
/** @typedef {import('../call/engine.js').CallError} CallError */

/** Who it is: `name` is what they call themselves, '' while it is not known; `key` hexadecimal, likewise. */
/** @typedef {{fingerprint: string, key: string, name: string}} Person */

export {};
