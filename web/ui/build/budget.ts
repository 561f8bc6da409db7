// Prints how much script the first view of a page needs, and fails the build where that is too much.

import { gzipSync } from 'node:zlib';

import type { Plugin } from 'vite';

type Chunk = { type: 'chunk'; code: string; imports: string[]; facadeModuleId: string | null };

/** `budgets` has the most bytes of compressed script by page, for example `{ wall: 180_000 }`. */
export function budget(budgets: Record<string, number>): Plugin {
  return {
    name: 'budget',
    writeBundle(_, bundle) {
      for (const [page, most] of Object.entries(budgets)) {
        const entry = Object.entries(bundle).find(([, file]) => file.type === 'chunk' && file.facadeModuleId?.endsWith(`/src/${page}/index.html`));
        if (!entry) throw new Error(`There is no page ${page}.`);
        const files = new Set<string>();
        const add = (name: string): void => {
          if (files.has(name)) return;
          files.add(name);
          (bundle[name] as Chunk).imports.forEach(add);
        };
        add(entry[0]);
        const size = [...files].reduce((total, name) => total + gzipSync((bundle[name] as Chunk).code).length, 0);
        if (size > most) throw new Error(`The page ${page} needs ${size} bytes of compressed script, of at most ${most}.`);
        console.log(`${page}: ${Math.round(size / 1000)} kB of compressed script, at most ${most / 1000} kB`);
      }
    },
  };
}
