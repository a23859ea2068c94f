/** What comes after the door, in one file: all that joining and talking need. */

export { Engine } from '../call/engine.js';
export { Secret } from '../e2ee/secret.js';
export { Store } from '../identity/store.js';
export { Call, enterHistory } from './call.js';
export { Devices } from './devices.js';
export { roomPaths } from './icons-room.js';
export { keepPage } from './keep.js';
export { OwnIdentity } from './own-identity.js';
export { PageSound } from './page-sound.js';
export { PasteInvite } from './paste-invite.js';
export { Phone } from './phone.js';
export { RoomList } from './room-list.js';
export { RoomsAndPeople } from './rooms-and-people.js';
export { relayKeyScreen } from './relay-key-screen.js';
export { applyRoomStyle } from './room-style.js';
export { closeSheets } from './sheet.js';
export { missing, supportScreen } from './support-screen.js';
export { TabSign } from './tab-sign.js';
