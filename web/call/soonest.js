/** Times at which something is due, in ms; 0 is never. */

/** Returns the earlier of two times. @param {number} a @param {number} b @returns {number} */
export function soonest(a, b) {
  if (a === 0) return b;
  if (b === 0) return a;
  return Math.min(a, b);
}
