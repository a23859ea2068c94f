/** The sheets and what only they need, in one file: nobody needs them to join and to talk. */

export { testEcho } from '../audio/echo.js';
export { openContact, openContactLink } from './contact-sheets.js';
export { openConnection } from './connection-sheet.js';
export { openInvite } from './invite-sheet.js';
export { openKeys } from './keys-sheet.js';
export { openPerson, openSafety } from './person-sheet.js';
export { openSettings } from './settings-sheet.js';
