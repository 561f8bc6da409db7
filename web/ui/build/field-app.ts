// Makes the field page an app that opens without a network: its manifest, its icons, and a service worker that knows all
// files of the page.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { build, type Plugin } from 'vite';

const SOURCE = resolve(import.meta.dirname, '../src/field/app');
const PAGE = 'field/index.html';
/** Sizes of the icons in pixels. */
const ICONS = [180, 192, 512];

/** A file that the service worker keeps. `revision` is null where the name already tells versions apart. */
type Kept = { url: string; revision: string | null };
type Chunk = {
  type: 'chunk';
  imports: string[];
  dynamicImports: string[];
  facadeModuleId: string | null;
  viteMetadata?: { importedCss: Set<string>; importedAssets: Set<string> };
};
type Bundle = Record<string, Chunk | { type: 'asset'; source: string | Uint8Array }>;

export function fieldApp(): Plugin {
  return {
    name: 'field-app',
    generateBundle: {
      // After Vite has made the page's HTML.
      order: 'post',
      async handler(_, bundle) {
        for (const size of ICONS) {
          this.emitFile({ type: 'asset', fileName: `field/icon-${size}.png`, source: readFileSync(join(SOURCE, `icon-${size}.png`)) });
        }
        this.emitFile({ type: 'asset', fileName: 'field/manifest.webmanifest', source: JSON.stringify(manifest()) });
        const worker = await serviceWorker(keptFiles(bundle as unknown as Bundle));
        this.emitFile({ type: 'asset', fileName: 'field/service-worker.js', source: worker });
      },
    },
  };
}

function manifest(): object {
  return {
    id: '/field/',
    name: '护航外勤 Huhang Field',
    short_name: '护航外勤',
    lang: 'zh-CN',
    start_url: '/field/',
    scope: '/field/',
    display: 'standalone',
    background_color: '#eceff2',
    theme_color: '#131a22',
    icons: ICONS.map((size) => ({ src: `/field/icon-${size}.png`, sizes: `${size}x${size}`, type: 'image/png', purpose: 'any' })),
  };
}

/** The page, and all scripts, styles and pictures that it can load. */
function keptFiles(bundle: Bundle): Kept[] {
  const page = bundle[PAGE];
  if (page?.type !== 'asset') throw new Error(`${PAGE} was not built`);
  const names = new Set<string>();
  const add = (name: string): void => {
    const chunk = bundle[name];
    if (names.has(name) || !chunk) return;
    names.add(name);
    if (chunk.type !== 'chunk') return;
    [...chunk.imports, ...chunk.dynamicImports].forEach(add);
    chunk.viteMetadata?.importedCss.forEach(add);
    chunk.viteMetadata?.importedAssets.forEach(add);
  };
  Object.entries(bundle).forEach(([name, file]) => {
    if (file.type === 'chunk' && file.facadeModuleId?.endsWith(`/src/${PAGE}`)) add(name);
  });
  if (names.size === 0) throw new Error(`${PAGE} has no script`);
  // The HTML names styles that no script imports, and the icon.
  for (const found of String(page.source).matchAll(/"\/(assets\/[^"]+)"/g)) add(found[1]!);
  const revision = createHash('sha256').update(page.source).digest('hex').slice(0, 16);
  return [{ url: `/${PAGE}`, revision }, ...[...names].map((name) => ({ url: `/${name}`, revision: null }))];
}

async function serviceWorker(files: Kept[]): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'warn',
    define: { __FILES__: JSON.stringify(files), 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      target: 'es2022',
      rolldownOptions: { input: join(SOURCE, 'service-worker.ts'), output: { format: 'iife' }, checks: { pluginTimings: false } },
    },
  });
  const first = (Array.isArray(result) ? result[0] : result) as { output: { type: string; code: string }[] };
  const chunk = first.output.find(({ type }) => type === 'chunk');
  if (!chunk) throw new Error('no service worker was built');
  return chunk.code;
}
