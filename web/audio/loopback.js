/**
 * Another way to the loudspeaker, for where the microphone hears it (echo.js). The browser cancels the echo
 * of what it knows to be played; where an AudioContext is not among that, the sound goes as a call's:
 *
 *     node --> MediaStreamDestination --> RTCPeerConnection ==> RTCPeerConnection --> <audio>
 *
 * The path is on this machine only. It adds some 50 ms and is used only where the test asks for it.
 */

/** @typedef {{setSink(id: string): Promise<void>, close(): void}} LoopbackRoute */

/**
 * Plays what comes out of a node by way of a peer connection to ourselves. It throws when the browser cannot.
 * @param {AudioContext} context @param {AudioNode} node @returns {Promise<LoopbackRoute>}
 */
export async function loopbackRoute(context, node) {
  const way = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  const [here, there] = [new RTCPeerConnection(), new RTCPeerConnection()];
  const audio = new Audio();
  audio.autoplay = true;
  const route = {
    /** @param {string} id */
    setSink: async (id) => audio.setSinkId?.(id),
    close() {
      try {
        node.disconnect(way);
      } catch {
        // It was disconnected from everything.
      }
      here.close();
      there.close();
      audio.pause();
      audio.srcObject = null;
    },
  };
  try {
    await connect(here, there, way.stream, audio);
    node.connect(way);
    await audio.play();
    return route;
  } catch (error) {
    route.close();
    throw error;
  }
}

/**
 * Connects two ends on this machine.
 * @param {RTCPeerConnection} here @param {RTCPeerConnection} there @param {MediaStream} stream
 * @param {HTMLAudioElement} audio
 */
async function connect(here, there, stream, audio) {
  here.onicecandidate = ({ candidate }) => void there.addIceCandidate(candidate ?? undefined).catch(() => {});
  there.onicecandidate = ({ candidate }) => void here.addIceCandidate(candidate ?? undefined).catch(() => {});
  const arrived = new Promise((resolve) => {
    there.ontrack = ({ track }) => resolve((audio.srcObject = new MediaStream([track])));
  });
  for (const track of stream.getTracks()) here.addTrack(track, stream);
  await here.setLocalDescription(await here.createOffer());
  await there.setRemoteDescription(/** @type {RTCSessionDescription} */ (here.localDescription));
  await there.setLocalDescription(loud(await there.createAnswer()));
  await here.setRemoteDescription(/** @type {RTCSessionDescription} */ (there.localDescription));
  await arrived;
}

/**
 * Asks for a good bit rate and no pauses: this path is no network.
 * @param {RTCSessionDescriptionInit} answer
 */
function loud({ type, sdp = '' }) {
  return {
    type,
    sdp: sdp.replace(/(a=fmtp:\d+ minptime=10;useinbandfec=1)/g, '$1;maxaveragebitrate=128000;usedtx=0'),
  };
}
