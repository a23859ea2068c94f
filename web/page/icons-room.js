/** The icons of what comes after the door: see icons.js. */

export const roomPaths = {
  talk: 'M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3M2.5 9v5'
    + 'M21.5 9v5',
  listen: 'M4 10v4h4l5 4V6L8 10zM16.5 9a4.5 4.5 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11',
  silent: 'M4 10v4h4l5 4V6L8 10zM16.5 9.5l5 5M21.5 9.5l-5 5',
  invite:
    'M14 19v-1a4 4 0 0 0-4-4H7a4 4 0 0 0-4 4v1M8.5 10.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM18 8v6M15 11h6',
  leave: 'M14 4H6v16h8M11 12h10M17.5 8.5 21 12l-3.5 3.5',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  share: 'M12 15V3.5M8 7l4-3.5L16 7M5 12v8h14v-8',
  keyboard: 'M3 6h18v12H3zM7 10v.1M11 10v.1M15 10v.1M7 14h10M18 10v.1',
  outside: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM5.7 5.7l12.6 12.6',
  offline: 'M3 9a13 13 0 0 1 4.5-2.8M11 5.1A13 13 0 0 1 21 9M6.3 12.6A8.5 8.5 0 0 1 10 10.6'
    + 'M14.6 10.8a8.5 8.5 0 0 1 3.1 1.8M9.5 16a4 4 0 0 1 5 0M12 19.4v.2M4 4l16 16',
  chevron: 'M9 6l6 6-6 6',
};
