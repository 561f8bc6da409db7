// Builds the pages under /docs from the repository's Markdown, and the list of them that the pages import.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';

import type { Plugin } from 'vite';

import type { DocumentPage, Section } from '../src/docs/types.ts';
import { render, type Target } from './markdown.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const LIST = 'virtual:documents';
const PAGE = 'docs/index.html';
const TITLE = /<title>.*?<\/title>/;
const PLACE = '<!--document-->';
// Where `make run` says that the server is.
const SERVER = 'http://localhost:8000';
// Files that the server gives at an address of its own.
const SERVED: Record<string, string> = { 'schema/schema.graphql': '/schema.graphql' };

type Source = { file: string; path: string; section: Section };

function sources(): Source[] {
  const project = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].map(
    (file): Source => ({ file, path: `/docs/${file.replace('.md', '').toLowerCase()}/`, section: 'project' }),
  );
  const others = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.md'))
    .sort()
    .map((path): Source => {
      const folder = path.includes('/') ? path.split('/')[0]! : 'design';
      return { file: `docs/${path}`, path: `/docs/${path.replace(/(README)?\.md$/, '')}/`.replace('//', '/'), section: folder as Section };
    });
  return [...others, ...project];
}

/** The version of this copy of Huhang. */
function version(): string {
  const found = /^version = "(.+)"$/m.exec(readFileSync(join(ROOT, 'pyproject.toml'), 'utf8'));
  if (!found) throw new Error('pyproject.toml has no version');
  return found[1]!;
}

/** What a document's link to `address` leads to. `picture` gives the address of a picture's file. */
function resolver(source: Source, all: Source[], picture: (file: string) => string): (address: string) => Target {
  return (address) => {
    if (address === SERVER || address.startsWith(`${SERVER}/`)) return { href: address.slice(SERVER.length) || '/' };
    if (/^[a-z]+:/.test(address) || address.startsWith('#')) return { href: address };
    const [path = '', fragment] = address.split('#');
    const file = posix.join(dirname(source.file), decodeURI(path)).replace(/\/$/, '');
    const page = all.find((each) => each.file === file || each.file === `${file}/README.md`);
    if (page) return { href: page.path + (fragment ? `#${fragment}` : '') };
    if (file in SERVED) return { href: SERVED[file]! };
    if (file.endsWith('.png')) return { href: picture(file) };
    const folder = posix.relative('docs', file);
    return all.some(({ section }) => section === folder) ? { href: `/docs/#${folder}` } : { file };
  };
}

export function documents(): Plugin {
  const all = sources();
  const read = (source: Source): string => readFileSync(join(ROOT, source.file), 'utf8');

  const list = (): DocumentPage[] =>
    all.map((source) => {
      const { headings, summary } = render(read(source), resolver(source, all, (file) => file));
      return { path: source.path, title: headings[0]?.text ?? source.file, section: source.section, summary, headings };
    });

  return {
    name: 'documents',
    resolveId: (id) => (id === LIST ? `\0${LIST}` : null),
    load: (id) =>
      id === `\0${LIST}`
        ? `export const documents = ${JSON.stringify(list())}; export const version = ${JSON.stringify(version())};`
        : null,
    generateBundle: {
      // After Vite has made the page's HTML, which is the frame of every document.
      order: 'post',
      handler(_, bundle) {
        const page = bundle[PAGE];
        if (page?.type !== 'asset') throw new Error(`${PAGE} was not built`);
        const frame = String(page.source);
        const picture = (file: string): string => {
          const reference = this.emitFile({ type: 'asset', name: posix.basename(file), source: readFileSync(join(ROOT, file)) });
          return `/${this.getFileName(reference)}`;
        };
        for (const source of all) {
          const { html, headings } = render(read(source), resolver(source, all, picture));
          const title = `${headings[0]?.text ?? source.file} · 护航 Huhang`;
          const text = frame.replace(TITLE, () => `<title>${escape(title)}</title>`).replace(PLACE, () => html);
          this.emitFile({ type: 'asset', fileName: `${source.path.slice(1)}index.html`, source: text });
        }
      },
    },
  };
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
