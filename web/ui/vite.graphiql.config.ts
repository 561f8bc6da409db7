// Builds GraphiQL. Each page of this package has a root, a base and a folder under dist of its own.

import { defineConfig } from 'vite';

export default defineConfig({
  root: 'src/graphiql',
  base: '/graphiql/',
  build: {
    outDir: '../../dist/graphiql',
    emptyOutDir: true,
    target: 'es2022',
    // Monaco, the editor, is one piece of nearly this size; it is loaded once and cached.
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      onLog(level, log, report) {
        // 'use client' means something to React servers alone; a hundred warnings about it would hide one that counts.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log);
      },
    },
  },
  worker: {
    // The default format cannot split code, and Monaco's workers do.
    format: 'es',
  },
});
