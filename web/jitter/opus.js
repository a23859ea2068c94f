/** How long an Opus packet sounds, from its framing alone (RFC 6716, section 3). No codec lives here. */

/**
 * Samples at 48 kHz in a packet; 0 when its framing is malformed.
 *
 *      0 1 2 3 4 5 6 7
 *     +-+-+-+-+-+-+-+-+   config: mode, bandwidth, frame length
 *     | config  |s| c |   c: 0 one frame, 1 and 2 two, 3 the next byte's low six bits say how many
 *     +-+-+-+-+-+-+-+-+
 *
 * @param {Uint8Array} packet
 */
export function packetSamples(packet) {
  if (packet.length === 0) return 0;
  const frame = frameSamples(packet[0]);
  const code = packet[0] & 3;
  if (code === 0) return frame;
  if (code < 3) return 2 * frame;
  if (packet.length < 2) return 0;
  const samples = (packet[1] & 0x3f) * frame;
  return samples <= 120 * 48 ? samples : 0;
}

/** Samples of one frame (RFC 6716, section 3.1, table 2). @param {number} toc */
function frameSamples(toc) {
  const config = toc >> 3;
  if (config < 12) return [480, 960, 1920, 2880][config & 3];
  if (config < 16) return 480 << (config & 1);
  return 120 << (config & 3);
}
