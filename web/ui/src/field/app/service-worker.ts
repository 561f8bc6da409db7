// The field page's service worker: it keeps the page and its files, so that the page opens without a network. It touches no
// request of the graph, of /auth or of evidence.

import { cleanupOutdatedCaches, precacheAndRoute } from 'workbox-precaching';

declare const __FILES__: { url: string; revision: string | null }[];
declare const self: { skipWaiting: () => Promise<void>; addEventListener: (type: 'message', act: (event: MessageEvent) => void) => void };

cleanupOutdatedCaches();
// The page's own place is in the fragment; a query changes nothing.
precacheAndRoute(__FILES__, { ignoreURLParametersMatching: [/.*/] });

// A new version waits until the page says that nothing is lost by loading it.
self.addEventListener('message', (event) => {
  if (event.data === 'use') void self.skipWaiting();
});
