/**
 * What a Line has done when it was told something: each effect is an object with a type. Calls are named by
 * the Line's own numbers.
 */

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

/**
 * What the two ends of an open call know. The engine makes its room of them. joinKey: of entry, whoever gets
 * it erases it; entry: ours; otherEntry: the other's bytes, other: what they say, checked, of this call and
 * inside.
 * @typedef {object} Details
 * @property {Bytes} callId
 * @property {boolean} caller we called
 * @property {import('../e2ee/secret.js').Secret} secret
 * @property {import('../e2ee/keys.js').JoinKey} joinKey
 * @property {import('../wire/entry.js').BuiltEntry} entry
 * @property {Bytes} otherEntry
 * @property {import('../wire/entry.js').Entry} other
 * @property {string} path
 */

/**
 * How a call ended: hung_up by the other, hung_up_here by us. Of our calls: cancelled by us before it was
 * answered, no_answer, declined (of either), busy: they talk with somebody, not_there: nobody of that
 * fingerprint takes calls, away: likewise, but the other will learn that we called, unreachable: no way to
 * any device of theirs, too_many: a relay on the way has a limit, wrong_clock: relays refuse our times. Of
 * their calls: missed, not answered or cancelled; elsewhere, answered on another device of ours. failed:
 * nothing came from the other for too long; transferred: it goes on between others, or with another.
 * @typedef {'hung_up' | 'hung_up_here' | 'cancelled' | 'no_answer' | 'declined' | 'busy' | 'not_there' |
 *   'unreachable' | 'too_many' | 'wrong_clock' | 'away' | 'missed' | 'elsewhere' | 'failed' | 'transferred'}
 *   Outcome
 */

/**
 * send: an urgent message, to our relay. media: whether media frames of the call may go to the relay from now
 * on; at most one call has them. keyCame: a sender key of the other's; keyReceived: the other has ours with
 * that number; keysWanted: the other lacks ours. incoming: a contact calls. rings: our call rings at the
 * other's. up: a call is up. ended: a call is over, once for every call that had a number. missed: a contact
 * called while we did not want to be disturbed, or talked, or were away. stranger: somebody called who may
 * not ring; nothing was said to it; more: other such calls since the last one, which are not told of one by
 * one. at: ms since 1970; of a call that was kept while we were away when it was made, by the caller's clock.
 * keptOver: all was told that was kept for that device of ours, of a stay before. held: who holds. muted:
 * whether the other's microphone is closed. silent: nothing comes from the other, and another way is looked
 * for; or it is back. consentAsked: the other wants to have somebody whom it talks with call us: say consent.
 * transferAsked: the other wants us to go on with somebody who agreed: say acceptTransfer. transferOver: what
 * became of a transfer; if done, both its calls end. refused: something that came was not what an honest end
 * sends, or came before.
 *
 * @typedef {{type: 'send', kind: number, body: Bytes}
 *   | {type: 'media', call: number, path: string, on: boolean}
 *   | {type: 'keyCame', call: number, key: import('../wire/urgent.js').Key}
 *   | {type: 'keyReceived', call: number, number: number}
 *   | {type: 'keysWanted', call: number}
 *   | {type: 'incoming', call: number, person: Bytes, fingerprint: string, name: string}
 *   | {type: 'rings', call: number}
 *   | {type: 'up', call: number, details: Details}
 *   | {type: 'ended', call: number, outcome: Outcome}
 *   | {type: 'missed', person: Bytes, fingerprint: string, name: string, at: number}
 *   | {type: 'stranger', person: Bytes, fingerprint: string, name: string, at: number, more: number}
 *   | {type: 'clock', at: number}
 *   | {type: 'keptOver', device: string}
 *   | {type: 'held', call: number, byUs: boolean, byTheirs: boolean}
 *   | {type: 'muted', call: number, muted: boolean}
 *   | {type: 'silent', call: number, silent: boolean}
 *   | {type: 'consentAsked', call: number, person: Bytes}
 *   | {type: 'transferAsked', call: number, person: Bytes}
 *   | {type: 'transferOver', from: number, to: number, done: boolean}
 *   | {type: 'refused', why: Error}} Effect
 */

export {};
