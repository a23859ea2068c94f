/** Tests that import this see the page's texts in English. */

import { calls, door, room, sheets } from './en.js';
import { speak } from './say.js';

speak('en', door, room, sheets, calls);
