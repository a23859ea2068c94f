/**
 * The looks of direct calls, calls.css. The build (tools/page) puts a module in the place of this one that
 * has them in it; documents of tests link the file.
 */

/** Applies them, once. */
export function applyCallsStyle() {}
