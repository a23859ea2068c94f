/** What comes after the door, in one file: the room, its sheets and the settings, the sound, the invites. */

export { startCapture } from '../audio/capture.js';
export { testEcho } from '../audio/echo.js';
export { startPlayback } from '../audio/playback.js';
export { playSound } from '../audio/sounds.js';
export { Secret } from '../e2ee/secret.js';
export { CallClaim } from './call-claim.js';
export { openLeave } from './leave-sheet.js';
export { PasteInvite } from './paste-invite.js';
export { RecentRooms } from './recent-rooms.js';
export { relayKeyScreen } from './relay-key-screen.js';
export { RoomView } from './room-view.js';
export { openSettings } from './settings-sheet.js';
export { Stay } from './stay.js';
export { TabSign } from './tab-sign.js';
export { keepPage } from './keep.js';
export { Store } from '../identity/store.js';
export { SoundWatch } from '../audio/sound-watch.js';
export { OwnIdentity } from './own-identity.js';
export { supportScreen } from './support-screen.js';
export { applyRoomStyle } from './room-style.js';
export { roomPaths } from './icons-room.js';
export { KnownDevices } from './device-list.js';
