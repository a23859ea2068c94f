/**
 * What a session calls, and what a client calls: the room, or a test. None of it is called concurrently; what
 * these throw is told to failed, and nothing else changes by it.
 */

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./session-aliases.js').Bound} Bound */

/**
 * A media frame that came. ciphertext stays valid.
 * @typedef {{kid: bigint, ctr: number, ciphertext: Bytes, bound: Bound}} MediaFrame
 */

/**
 * @typedef {object} FrameHandler
 * @property {(kid: bigint) => Bound | null} bind is asked when the relay announces a stream; null refuses it.
 *   The result is given to media with each of its frames; its next is to be raised above each CTR that is
 *   trusted
 * @property {(frame: MediaFrame) => void} media
 * @property {(kind: number, body: Bytes) => boolean} urgent gets each message once; false: it cannot be used
 *   yet, and comes again with the relay's next repeat
 */

/**
 * @typedef {object} SessionEvents
 * @property {(code: number, ours: boolean) => void} ended one of CLOSE; ours: this side ended it
 * @property {() => void} silent nothing is heard though it was asked; said again and again while that is so
 * @property {(error: unknown) => void} failed another method threw
 */

/**
 * @typedef {object} ClientEvents
 * @property {(joined: import('./dial-attempt.js').Message, fresh: boolean) => void} attached the relay has
 *   welcomed the client: the first time, or again; joined is Line for a line. fresh: it knew nothing of the
 *   session, so urgent messages start from zero
 * @property {(cause: string) => void} detached the client tries to attach again; the session goes on
 * @property {(error: import('./carrier.js').LinkError) => void} ended for good, but not by leave
 * @property {(error: unknown) => void} [failed] another of these threw; absent: the browser is told, as of
 *   any error
 */

/** @typedef {FrameHandler & SessionEvents} SessionHandler */
/** @typedef {FrameHandler & ClientEvents} ClientHandler */

export {};
