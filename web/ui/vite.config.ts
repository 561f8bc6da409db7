// Builds every page but GraphiQL. Each index.html under src is a page at the path of its folder; src/start is the page
// at `/`. The pages share their scripts and styles under /assets.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

import { budget } from './build/budget.ts';
import { documents } from './build/documents.ts';
import { fieldApp } from './build/field-app.ts';

const root = resolve(import.meta.dirname, 'src');
const pages = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('index.html') && !path.startsWith('graphiql'))
  .map((path) => join(root, path));

export default defineConfig({
  root,
  plugins: [
    {
      name: 'documents',
      generateBundle() {
        const read = (path: string): object => JSON.parse(readFileSync(resolve(root, '../generated', path), 'utf-8')) as object;
        const source = JSON.stringify({ ...read('graph/persisted-documents.json'), ...read('forms/documents.json') });
        this.emitFile({ type: 'asset', fileName: 'documents.json', source });
      },
    },
    svelte({
      configFile: false,
      onwarn(warning) {
        throw new Error(`${warning.filename ?? ''}: ${warning.message}`);
      },
    }),
    documents(),
    fieldApp(),
    budget({ wall: 180_000, desk: 220_000, field: 150_000 }),
  ],
  build: {
    outDir: '../dist/pages',
    emptyOutDir: true,
    target: 'es2022',
    rolldownOptions: {
      input: pages,
      // A slow machine is no fault of the build.
      checks: { pluginTimings: false },
      output: {
        codeSplitting: {
          // The code that at least five pages use is one chunk: a handful of files for each page, and the largest is cached.
          groups: [{ name: 'shared', minShareCount: 5 }],
        },
      },
    },
    // The policy of these pages allows no script but files of this server.
    assetsInlineLimit: 0,
    // The player of cameras, which is loaded when a camera is shown.
    chunkSizeWarningLimit: 700,
  },
  server: {
    // `npm run dev` serves the pages with a server of `make run` behind them.
    proxy: Object.fromEntries(
      ['/auth', '/graphql', '/register', '/readyz', '/healthz', '/schema.graphql'].map((path) => [path, { target: 'http://127.0.0.1:8000', ws: true }]),
    ),
  },
});
